import type { CSSProperties } from "react";
import type { Budget } from "../../api/bindings";
import { moneySum, plural } from "../../lib/format";
import { spanWords } from "./circuit";

/** What may still be spent, by budget. */
export function Budgets({ budgets }: { budgets: Budget[] }) {
  return (
    <section className="budgets" aria-label="Budgets">
      <div className="cap"><h2>Budgets</h2></div>
      <ul>
        {budgets.map((b) => {
          const left = Math.max(0, 1 - b.share);
          const tone = left <= 0 ? "quota out" : left < 0.15 ? "quota low" : "quota";
          return (
            <li key={b.name} className="num">
              <span className="med">{b.name}</span>
              <span className={tone} style={{ "--v": `${left * 100}%` } as CSSProperties}><i /><span>{Math.round(left * 100)}<span className="unit">%</span> left</span></span>
              <span className="t2">{moneySum(b.spent_picousd)} of {moneySum(b.amount_picousd)} this {b.per}</span>
              <span className="t3">again in {spanWords(Number(b.resets_at) - Date.now())}</span>
              {Number(b.unknown) > 0 && <span className="t3">{plural(Number(b.unknown), "request")} without a known cost</span>}
            </li>
          );
        })}
      </ul>
    </section>
  );
}
