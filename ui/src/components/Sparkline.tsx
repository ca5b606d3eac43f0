/** Requests per slice of the window, with failures in the colour of the open lamp. A slice without requests is at zero. */
export function Sparkline({ values, errors, label }: { values: number[]; errors: number[]; label: string }) {
  const width = 56;
  const height = 16;
  const top = Math.max(1, ...values);
  const step = values.length > 1 ? (width - 2) / (values.length - 1) : 0;
  const x = (i: number) => 1 + i * step;
  const y = (v: number) => height - 1.5 - (v / top) * (height - 3);
  const path = values.map((v, i) => `${i === 0 ? "M" : "L"}${x(i).toFixed(1)} ${y(v).toFixed(1)}`).join("");
  return (
    <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`} role="img" aria-label={label}>
      <path d={path} fill="none" stroke="var(--text-3)" strokeWidth="1.2" strokeLinejoin="round" />
      {errors.map((n, i) => (n > 0 ? <path key={i} d={`M${x(i).toFixed(1)} ${height - 4}v4`} stroke="var(--lamp-open)" strokeWidth="1.6" /> : null))}
    </svg>
  );
}
