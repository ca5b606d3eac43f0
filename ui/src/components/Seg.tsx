import { ToggleGroup } from "radix-ui";

interface SegProps<T extends string> {
  label: string;
  value: T;
  options: { value: T; label: string }[];
  onChange(value: NoInfer<T>): void;
  small?: boolean;
}

/** One of a few, all in view. */
export function Seg<T extends string>({ label, value, options, onChange, small }: SegProps<T>) {
  return (
    <ToggleGroup.Root type="single" className={small ? "seg small" : "seg"} aria-label={label} value={value} onValueChange={(v) => v && onChange(v as T)}>
      {options.map((o) => (
        <ToggleGroup.Item key={o.value} value={o.value} className={o.value === value ? "on" : ""}>
          {o.label}
        </ToggleGroup.Item>
      ))}
    </ToggleGroup.Root>
  );
}
