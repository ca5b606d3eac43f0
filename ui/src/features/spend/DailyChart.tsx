import { useEffect, useRef, useState } from "react";
import { dayLabel, moneyRequest, moneySum, moneyTick, plural } from "../../lib/format";
import { hueOf } from "../../lib/hues";
import { axisWidth, type Bar, type Series, ticksFor } from "./model";

const HEIGHT = 208;
const TOP = 12;
const BOTTOM = 20;
const PICO = 1e12;

/** Spend by day, stacked. Its table stands behind it, under the same switch. */
export function DailyChart({ bars }: { bars: Bar[] }) {
  const [box, width] = useWidth();
  const ticks = ticksFor(Math.max(0, ...bars.map((b) => b.total)) / PICO);
  const top = ticks.at(-1) ?? 1;
  const left = axisWidth(ticks.map(moneyTick));
  const y = (usd: number) => HEIGHT - BOTTOM - (usd / top) * (HEIGHT - TOP - BOTTOM);
  const slot = bars.length > 0 ? (width - left) / bars.length : 0;
  const every = Math.max(1, Math.ceil(bars.length / Math.max(2, Math.floor((width - left) / 70))));
  return (
    <div ref={box} className="chart-box">
      <svg width={width} height={HEIGHT} role="img" aria-label={`Spend by day, ${plural(bars.length, "day")}. The same figures are in the table.`}>
        {ticks.map((t) => (
          <g key={t}>
            <path d={`M${left} ${y(t)}H${width}`} stroke={t === 0 ? "var(--border-strong)" : "var(--grid)"} />
            <text x={left - 8} y={y(t) + 4} textAnchor="end">{moneyTick(t)}</text>
          </g>
        ))}
        {bars.map((bar, i) => {
          const isToday = i === bars.length - 1;
          const labelled = isToday || ((bars.length - 1 - i) % every === 0 && i > 0);
          return (
            <g key={bar.date}>
              <Stack bar={bar} x={left + i * slot} width={slot} y={y} />
              {labelled && (
                <text x={isToday ? width - 2 : left + (i + 0.5) * slot} y={HEIGHT - 5} textAnchor={isToday ? "end" : "middle"} className={isToday ? "today" : undefined}>
                  {isToday ? "today" : dayLabel(bar.date)}
                </text>
              )}
            </g>
          );
        })}
      </svg>
    </div>
  );
}

function Stack({ bar, x, width, y }: { bar: Bar; x: number; width: number; y(usd: number): number }) {
  const gap = Math.min(6, width * 0.25);
  const thick = Math.min(44, Math.max(1, width - gap));
  const left = x + (width - thick) / 2;
  let below = 0;
  return (
    <g>
      <title>{`${dayLabel(bar.date)}: ${moneySum(bar.total)}, ${plural(bar.requests, "request")}${bar.unknown > 0 ? `, ${bar.unknown} without a price` : ""}${bar.parts.filter((p) => p.picousd > 0).map((p) => `\n${p.series.key} ${moneyRequest(p.picousd)}`).join("")}`}</title>
      <rect x={x} y={TOP} width={Math.max(0, width)} height={HEIGHT - TOP - BOTTOM} fill="transparent" />
      {bar.parts.map(({ series, picousd }) => {
        if (picousd <= 0) return null;
        const bottom = y(below / PICO);
        below += picousd;
        const tall = bottom - y(below / PICO);
        return <Part key={series.key} series={series} x={left} y={bottom - tall} width={thick} height={tall} />;
      })}
    </g>
  );
}

function Part({ series, x, y, width, height }: { series: Series; x: number; y: number; width: number; height: number }) {
  // A gap of one pixel tells stacked parts apart without their colours.
  const tall = Math.max(0.8, height - 1);
  const hue = hueOf(series.provider);
  return series.hollow ? (
    <rect x={x + 0.5} y={y + 0.5} width={Math.max(0.5, width - 1)} height={Math.max(0.5, tall - 0.5)} fill="var(--surface)" stroke={hue} />
  ) : (
    <rect x={x} y={y} width={width} height={tall} fill={hue} />
  );
}

function useWidth(): [React.RefObject<HTMLDivElement | null>, number] {
  const ref = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(640);
  useEffect(() => {
    const el = ref.current;
    if (!el || typeof ResizeObserver === "undefined") return;
    const observer = new ResizeObserver(() => setWidth(el.clientWidth));
    observer.observe(el);
    setWidth(el.clientWidth);
    return () => observer.disconnect();
  }, []);
  return [ref, width];
}
