import type { ReactNode } from "react";

export function Stat({ label, children, context, testId }: { label: string; children: ReactNode; context?: ReactNode; testId?: string }) {
  return (
    <div className="stat" data-testid={testId}>
      <div className="label">{label}</div>
      <b className="num">{children}</b>
      <div className="small num">{context}</div>
    </div>
  );
}

export const Unit = ({ children }: { children: ReactNode }) => <span className="unit">{children}</span>;
