import Button from "@cloudscape-design/components/button";
import Input from "@cloudscape-design/components/input";
import Select from "@cloudscape-design/components/select";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useRef, useState } from "react";
import { download } from "../../../kit/download";
import { ErrorBox } from "../../../kit/ErrorBox";
import { useLoad } from "../../../kit/load";
import { listLogs, logPage, type LogEntry } from "../api";
import { keep, levels, matching, most, written } from "./log";
import { LogLines } from "./LogLines";

/** A choice of lines: those of a level and worse. */
const option = (value: string) => ({ value, label: value === levels[0] ? "All levels" : value === levels.at(-1) ? value : `${value} and worse` });

/** Logs is what a run and its devices log, as it comes. */
export function Logs({ run, live }: { run: string; live: boolean }) {
  const [level, setLevel] = useState("debug");
  const [text, setText] = useState("");
  const kept = useRef<{ run: string; lines: LogEntry[]; last: number }>({ run, lines: [], last: 0 });
  const logs = useLoad(
    async () => {
      if (kept.current.run !== run) kept.current = { run, lines: [], last: 0 };
      // What came since, in pages; the server keeps the latest lines only.
      for (let more = true; more; ) {
        const p = await listLogs(run, kept.current.last);
        more = p.lastSequence > kept.current.last && p.logs.length >= logPage;
        kept.current = { run, lines: keep(kept.current.lines, p.logs), last: Math.max(kept.current.last, p.lastSequence) };
      }
      return kept.current.lines;
    },
    [run, live],
    live ? 1_500 : undefined,
  );
  const shown = matching(logs.data ?? [], level, text);
  return (
    <SpaceBetween size="m">
      <ErrorBox error={logs.error} onRetry={() => void logs.reload()} />
      <SpaceBetween direction="horizontal" size="xs">
        <Input type="search" value={text} placeholder="Search logs" ariaLabel="Search logs" onChange={({ detail }) => setText(detail.value)} />
        <Select
          ariaLabel="Least level"
          selectedOption={option(level)}
          options={levels.map(option)}
          onChange={({ detail }) => setLevel(detail.selectedOption.value ?? "debug")}
        />
        <Button disabled={shown.length === 0} onClick={() => download(`run-${run}.log`, written(shown))}>
          Download
        </Button>
      </SpaceBetween>
      <LogLines
        title="Logs"
        run={run}
        lines={shown}
        empty={logs.data?.length ? "No line is like that." : "Nothing was logged yet."}
        note={`Of all devices, the latest ${most.toLocaleString("en-US")} lines at most.`}
      />
    </SpaceBetween>
  );
}
