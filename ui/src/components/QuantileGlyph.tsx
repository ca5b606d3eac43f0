import type { Quantiles } from "../api/bindings";
import { duration } from "../lib/format";

const WIDTH = 110;
const INSET = 3;
const SPAN = WIDTH - 2 * INSET;
/** The scale runs from 0.1 s to 20 s, in logarithm, so that fast and slow models share it. */
const LOW_MS = 100;
const HIGH_MS = 20_000;

export function scaleX(ms: number): number {
  const share = Math.log(Math.min(HIGH_MS, Math.max(LOW_MS, ms)) / LOW_MS) / Math.log(HIGH_MS / LOW_MS);
  return INSET + share * SPAN;
}

/** Dot at p50, thick to p95, tick at p99; the numbers stand beside it in the row. */
export function QuantileGlyph({ of, slow }: { of: Quantiles | null; slow: boolean }) {
  if (!of) {
    return (
      <svg width={WIDTH} height="16" aria-hidden="true">
        <path d={`M${INSET} 8h${SPAN}`} stroke="var(--grid)" />
      </svg>
    );
  }
  const [p50, p95, p99] = [scaleX(of.p50), scaleX(of.p95), scaleX(of.p99)];
  return (
    <svg width={WIDTH} height="16" role="img" aria-label={`p50 ${duration(of.p50)}, p95 ${duration(of.p95)}, p99 ${duration(of.p99)}`}>
      <path d={`M${INSET} 8h${SPAN}`} stroke="var(--grid)" />
      <path d={`M${p50} 8H${p99}`} stroke="var(--chart-soft)" strokeWidth="2" />
      <path d={`M${p50} 8H${p95}`} stroke={slow ? "var(--lamp-degraded)" : "var(--text-3)"} strokeWidth="4" />
      <circle cx={p50} cy="8" r="3.2" fill="var(--chart-ink)" />
      <path d={`M${p99} 4.5v7`} stroke="var(--text-3)" strokeWidth="1.3" />
    </svg>
  );
}

export function QuantileAxis() {
  return (
    <svg width={WIDTH} height="14" aria-hidden="true">
      <text x={INSET} y="11">0.1</text>
      <text x={scaleX(1000)} y="11" textAnchor="middle">1 s</text>
      <text x={scaleX(10_000)} y="11" textAnchor="middle">10</text>
    </svg>
  );
}
