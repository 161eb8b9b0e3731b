import Box from "@cloudscape-design/components/box";
import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import Link from "@cloudscape-design/components/link";
import { useEffect, useRef, type ReactNode } from "react";
import { to } from "../../../frame/route";
import { timeOfDay } from "../../../live/clock";
import type { LogEntry } from "../api";

interface Props {
  title: string;
  lines: LogEntry[];
  /** The run whose devices the lines are of; nothing: they are of one device. */
  run?: string;
  empty: string;
  note?: ReactNode;
  actions?: ReactNode;
}

const colour = { error: "text-status-error", warn: "text-status-warning", debug: "text-body-secondary" } as const;

/** LogLines shows lines of a log, the latest below. Who is at the end stays there. */
export function LogLines({ title, lines, run, empty, note, actions }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const last = lines.at(-1)?.sequence;
  useEffect(() => {
    if (box.current && atEnd.current) box.current.scrollTop = box.current.scrollHeight;
  }, [last]);
  return (
    <Container header={<Header variant="h2" description={note} actions={actions}>{title}</Header>}>
      {lines.length === 0 ? (
        <Box color="text-body-secondary">{empty}</Box>
      ) : (
        <div
          ref={box}
          className="run-logs"
          role="log"
          aria-label={title}
          aria-live="off"
          tabIndex={0}
          onScroll={({ currentTarget: b }) => {
            atEnd.current = b.scrollHeight - b.scrollTop - b.clientHeight < 24;
          }}
        >
          {lines.map((l) => (
            <div key={l.sequence}>
              <time>{timeOfDay(new Date(l.time * 1000))}</time>
              {run !== undefined && <span>{l.client === undefined ? "run" : <Link href={to(["fleet", "runs", "details", run, "devices", String(l.client)])}>{l.client}</Link>}</span>}
              <Box variant="span" fontSize="body-s" color={colour[l.level as keyof typeof colour] ?? "inherit"}>
                {l.level}
              </Box>
              <span className="log-text">{l.text}</span>
            </div>
          ))}
        </div>
      )}
    </Container>
  );
}
