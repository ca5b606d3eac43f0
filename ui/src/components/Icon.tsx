import type { LucideIcon } from "lucide-react";

/** The marks of the window that are its own; everything else is Lucide's. */
const PATHS = {
  chat: <path d="M2.5 3.5h11v7.5H7l-3 2.5V11H2.5Z" />,
  health: <path d="M1.5 8h3l2-4.5 3 9 2-4.5h3" />,
  spend: <path d="M2.5 13.5h11M4.2 13.5V9M8 13.5v-10M11.8 13.5V6.5" />,
  route: (
    <>
      <path d="M2 11.5h3.5c3 0 2.5-7 5.5-7h3M2 4.5h3.2M11 11.5h3" />
      <path d="M12.3 2.8 14 4.5l-1.7 1.7" />
    </>
  ),
  settings: (
    <>
      <path d="M2.5 5h6M12.5 5h1M2.5 11h1M7.5 11h6" />
      <circle cx="10.5" cy="5" r="1.8" />
      <circle cx="5.5" cy="11" r="1.8" />
    </>
  ),
  list: <path d="M2.5 4h11M2.5 8h11M2.5 12h7" />,
  search: (
    <>
      <circle cx="7" cy="7" r="4" />
      <path d="m10 10 3.5 3.5" />
    </>
  ),
  plus: <path d="M8 3v10M3 8h10" />,
  left: <path d="M9.5 4.5 6 8l3.5 3.5" />,
  right: <path d="m6.5 4.5 3.5 3.5-3.5 3.5" />,
  down: <path d="m4.5 6.5 3.5 3.5 3.5-3.5" />,
  up: <path d="M8 13V3.5M4 7.5l4-4 4 4" />,
  end: <path d="M8 3v9.5M4 8.5l4 4 4-4" />,
  check: <path d="m3.5 8.5 3 3 6-7" />,
  close: <path d="m4.5 4.5 7 7M11.5 4.5l-7 7" />,
  copy: <path d="M5.5 5.5h7v7h-7ZM3.5 10.5v-7h7" />,
  stop: <path d="M4.5 4.5h7v7h-7Z" fill="currentColor" />,
  key: (
    <>
      <circle cx="5" cy="10.5" r="2.5" />
      <path d="m6.8 8.7 5.7-5.7M10.5 5l1.7 1.7" />
    </>
  ),
  tool: <path d="M9.8 3.2a3 3 0 0 0-3.9 3.9L2.8 10.2l3 3 3.1-3.1a3 3 0 0 0 3.9-3.9L10.7 8.3 8.5 7.5 7.7 5.3Z" transform="translate(0 -.3)" />,
  table: <path d="M2.5 3.5h11v9h-11ZM2.5 6.5h11M6.5 3.5v9" />,
} as const;

export type Mark = keyof typeof PATHS;

export function Icon({ name, small }: { name: Mark; small?: boolean }) {
  return (
    <svg className={small ? "i s" : "i"} viewBox="0 0 16 16" aria-hidden="true">
      {PATHS[name]}
    </svg>
  );
}

/** A Lucide icon in the window's size and weight. */
export function Lucide({ of: Of, small }: { of: LucideIcon; small?: boolean }) {
  return <Of className={small ? "i s lu" : "i lu"} aria-hidden="true" />;
}

export function BrandMark() {
  return (
    <svg width="18" height="18" viewBox="0 0 18 18" aria-hidden="true">
      <path d="M2 13h14" stroke="var(--text-3)" strokeWidth="1.5" strokeLinecap="round" />
      <path d="M2 13h3.5C9.5 13 8.5 5 12.5 5H16" fill="none" stroke="var(--accent)" strokeWidth="2" strokeLinecap="round" />
      <circle cx="4.5" cy="4.8" r="2.2" fill="var(--lamp-ok)" />
    </svg>
  );
}
