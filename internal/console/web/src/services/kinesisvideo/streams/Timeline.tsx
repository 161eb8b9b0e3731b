import { useRef, useState, type PointerEvent } from "react";
import { clock } from "../../../live/clock";
import type { Range } from "../api";
import { duration, ticks, type Recording } from "../recordings";

interface Props {
  range: Range;
  recordings: Recording[];
  /** A part was chosen, by drawing over it. */
  onRange: (range: Range) => void;
}

const width = 1000;
/** How far one has to draw for it to be meant, in thousandths of the whole. */
const least = 8;

/** Timeline shows when there is video, and when there is none. */
export function Timeline({ range, recordings, onRange }: Props) {
  const box = useRef<SVGSVGElement>(null);
  const [pointer, setPointer] = useState<number>();
  const [start, setStart] = useState<number>();
  const span = Math.max(range.to - range.from, 1);
  const x = (at: number) => Math.min(width, Math.max(0, ((at - range.from) / span) * width));
  const timeAt = (at: number) => range.from + (at / width) * span;
  const where = (e: PointerEvent) => {
    const r = box.current?.getBoundingClientRect();
    return r && r.width > 0 ? Math.min(width, Math.max(0, ((e.clientX - r.left) / r.width) * width)) : 0;
  };
  const drawn = start !== undefined && pointer !== undefined ? [Math.min(start, pointer), Math.max(start, pointer)] : undefined;
  const end = () => {
    setStart(undefined);
    if (drawn && (drawn[1] ?? 0) - (drawn[0] ?? 0) >= least) onRange({ from: Math.round(timeAt(drawn[0] ?? 0)), to: Math.round(timeAt(drawn[1] ?? 0)) });
  };

  const gaps = recordings.filter((r) => r.gap !== undefined).length;
  const told = `${recordings.length} ${recordings.length === 1 ? "recording" : "recordings"} with ${gaps} ${gaps === 1 ? "gap" : "gaps"} from ${clock(new Date(range.from))} to ${clock(new Date(range.to))}`;
  const under = pointer === undefined ? undefined : recordings.find((r) => r.from <= timeAt(pointer) && timeAt(pointer) <= r.to);
  return (
    <div className="timeline">
      <svg
        ref={box}
        viewBox={`0 0 ${width} 48`}
        preserveAspectRatio="none"
        role="img"
        aria-label={told}
        onPointerMove={(e) => setPointer(where(e))}
        onPointerLeave={() => start === undefined && setPointer(undefined)}
        onPointerDown={(e) => {
          if (e.button !== 0) return;
          e.currentTarget.setPointerCapture(e.pointerId);
          setStart(where(e));
          setPointer(where(e));
        }}
        onPointerUp={end}
        onPointerCancel={() => setStart(undefined)}
      >
        <rect className="ground" x={0} y={0} width={width} height={48} />
        {recordings.map((r) => (
          <rect key={r.from} className="recorded" x={x(r.from)} y={6} width={Math.max(1, x(r.to) - x(r.from))} height={36} />
        ))}
        {drawn && <rect className="drawn" x={drawn[0]} y={0} width={(drawn[1] ?? 0) - (drawn[0] ?? 0)} height={48} />}
        {pointer !== undefined && <rect className="pointer" x={pointer - 0.5} y={0} width={1} height={48} />}
      </svg>
      <div className="ticks" aria-hidden="true">
        {ticks(range, 7).map((t) => {
          const at = (t.at - range.from) / span;
          return (
            <span key={t.at} style={{ insetInlineStart: `${at * 100}%` }} data-edge={at < 0.05 ? "start" : at > 0.95 ? "end" : undefined}>
              {t.label}
            </span>
          );
        })}
      </div>
      <div className="told">
        {pointer === undefined ? "Draw over a part to see it closer." : `${clock(new Date(timeAt(pointer)))}: ${under ? `video, ${duration(under.to - under.from)} from ${clock(new Date(under.from))}` : "no video"}`}
      </div>
    </div>
  );
}
