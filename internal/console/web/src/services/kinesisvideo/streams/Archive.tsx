import Box from "@cloudscape-design/components/box";
import Alert from "@cloudscape-design/components/alert";
import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import DateRangePicker, { type DateRangePickerProps } from "@cloudscape-design/components/date-range-picker";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Select from "@cloudscape-design/components/select";
import SpaceBetween from "@cloudscape-design/components/space-between";
import StatusIndicator from "@cloudscape-design/components/status-indicator";
import { useMemo, useState } from "react";
import { ErrorBox } from "../../../kit/ErrorBox";
import { List } from "../../../kit/ListPage";
import { clock } from "../../../live/clock";
import type { Clock, Fragment, Range } from "../api";
import { bytes, duration, recordings } from "../recordings";
import { Download } from "./Download";
import { FragmentDetails } from "./FragmentDetails";
import { Timeline } from "./Timeline";
import { rangeOf, useFragments, type Choice } from "./useFragments";

const clocks: { value: Clock; label: string; description: string }[] = [
  { value: "producer", label: "Producer timestamp", description: "When the device recorded it" },
  { value: "server", label: "Server timestamp", description: "When the server received it" },
];

const choices: DateRangePickerProps.RelativeOption[] = (
  [
    [15, "minute"],
    [1, "hour"],
    [6, "hour"],
    [1, "day"],
    [7, "day"],
    [30, "day"],
  ] as const
).map(([amount, unit]) => ({ key: `${amount}-${unit}`, type: "relative", amount, unit }));

/** Archive is what a stream keeps: a time line with its gaps, the fragments, and their download. */
export function Archive({ name, kept }: { name: string; kept: number }) {
  const [by, setBy] = useState<Clock>("producer");
  const [choice, setChoice] = useState<Choice>(null);
  const found = useFragments(name, by, choice);
  const [selected, select] = useState<Fragment[]>([]);
  const { list, range } = found;
  const parts = useMemo(() => recordings(list, by), [list, by]);
  const size = useMemo(() => list.reduce((n, f) => n + f.size, 0), [list]);
  const loaded = { data: list, loading: found.loading, reload: async () => found.reload() };
  const show = (r: Range) => setChoice({ type: "absolute", range: r });
  const move = (part: number, scale: number) => {
    const middle = (range.from + range.to) / 2 + part * (range.to - range.from);
    const half = Math.max(500, ((range.to - range.from) * scale) / 2);
    show({ from: Math.max(0, Math.round(middle - half)), to: Math.round(middle + half) });
  };

  if (kept === 0) return <Alert type="info">This stream keeps nothing: its data retention is 0 hours. Edit the data retention to keep what is sent from then on.</Alert>;
  return (
    <SpaceBetween size="l">
      <Container
        header={
          <Header
            variant="h2"
            description={
              <span role="status" aria-label="Fragments found">
                {found.loading && list.length === 0 ? "Looking for fragments" : `${list.length.toLocaleString("en-US")} ${list.length === 1 ? "fragment" : "fragments"}, ${bytes(size)}, ${parts.length} ${parts.length === 1 ? "recording" : "recordings"}`}
              </span>
            }
            actions={
              <SpaceBetween direction="horizontal" size="xs" alignItems="center">
                {found.choice.type === "relative" && !found.more && <StatusIndicator type={found.loading ? "loading" : "success"}>Live</StatusIndicator>}
                <Button iconName="refresh" ariaLabel="Refresh fragments" loading={found.loading} onClick={found.reload} />
                <Download name={name} list={list} by={by} size={size} disabled={found.loading} />
              </SpaceBetween>
            }
          >
            Time line
          </Header>
        }
      >
        <SpaceBetween size="m">
          <div className="archive-choice">
            <FormField label="Time range" stretch>
              <DateRangePicker
                value={found.choice.type === "relative" ? found.choice : { type: "absolute", startDate: iso(range.from), endDate: iso(range.to) }}
                onChange={({ detail }) => setChoice(chosen(detail.value))}
                relativeOptions={choices}
                isValidRange={(v) => fault(v)}
                ariaLabel="Time range"
                placeholder="Where there is video"
                granularity="day"
                getTimeOffset={(d) => -d.getTimezoneOffset()}
              />
            </FormField>
            <FormField label="Timestamps">
              <Select selectedOption={clocks.find((c) => c.value === by) ?? null} options={clocks} onChange={({ detail }) => setBy(detail.selectedOption.value === "server" ? "server" : "producer")} />
            </FormField>
          </div>
          <ErrorBox error={found.error} onRetry={found.reload} />
          <Timeline range={range} recordings={parts} onRange={show} />
          <SpaceBetween direction="horizontal" size="xs">
            <Button iconName="angle-left" onClick={() => move(-0.5, 1)}>
              Earlier
            </Button>
            <Button onClick={() => move(0.5, 1)} iconName="angle-right" iconAlign="right">
              Later
            </Button>
            <Button iconName="zoom-in" onClick={() => move(0, 0.5)}>
              Zoom in
            </Button>
            <Button iconName="zoom-out" onClick={() => move(0, 2)}>
              Zoom out
            </Button>
            <Button onClick={() => setChoice(null)}>Find video</Button>
          </SpaceBetween>
          {found.more && <Alert type="warning">Only the first {list.length.toLocaleString("en-US")} fragments of this time are shown. Choose a shorter one to see all.</Alert>}
        </SpaceBetween>
      </Container>
      <List
        variant="container"
        title="Recordings"
        description="What was recorded without a gap."
        items={{ ...loaded, data: found.loading && list.length === 0 ? undefined : parts }}
        id={(r) => String(r.from)}
        page={10}
        columns={[
          { id: "from", header: "From", text: (r) => r.from, cell: (r) => clock(new Date(r.from)) },
          { id: "to", header: "To", text: (r) => r.to, cell: (r) => clock(new Date(r.to)) },
          { id: "length", header: "Length", text: (r) => r.to - r.from, cell: (r) => duration(r.to - r.from) },
          { id: "gap", header: "Gap before", text: (r) => r.gap, cell: (r) => (r.gap === undefined ? "-" : duration(r.gap)) },
          { id: "fragments", header: "Fragments", text: (r) => r.fragments },
          { id: "size", header: "Size", text: (r) => r.size, cell: (r) => bytes(r.size) },
          {
            id: "show",
            header: "Actions",
            text: () => "",
            cell: (r) => (
              <Button variant="inline-link" ariaLabel={`Show the recording from ${clock(new Date(r.from))}`} onClick={() => show({ from: r.from - 500, to: r.to + 500 })}>
                Show
              </Button>
            ),
          },
        ]}
        empty={{ title: "No video", text: "There is no video in this time range." }}
      />
      <List
        variant="container"
        title="Fragments"
        items={{ ...loaded, data: found.loading && list.length === 0 ? undefined : list }}
        id={(f) => f.number}
        page={10}
        columns={[
          { id: "producer", header: "Producer timestamp", text: (f) => f.producer, cell: (f) => clock(new Date(f.producer)) },
          { id: "server", header: "Server timestamp", text: (f) => f.server, cell: (f) => clock(new Date(f.server)) },
          { id: "length", header: "Length", text: (f) => f.length, cell: (f) => duration(f.length) },
          { id: "size", header: "Size", text: (f) => f.size, cell: (f) => bytes(f.size) },
          { id: "number", header: "Fragment number", text: (f) => f.number, cell: (f) => <span className="words">{f.number}</span> },
        ]}
        empty={{ title: "No fragments", text: "There are no fragments in this time range." }}
        select="single"
        selected={selected}
        onSelect={select}
      />
      {selected[0] ? <FragmentDetails key={selected[0].number} name={name} fragment={selected[0]} /> : list.length > 0 && <Box color="text-body-secondary">Select a fragment to see its details and its producer's.</Box>}
    </SpaceBetween>
  );
}

/** A time as the picker has it, in the browser's own. */
function iso(at: number): string {
  const d = new Date(at);
  const two = (n: number) => String(n).padStart(2, "0");
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}T${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}

function chosen(v: DateRangePickerProps.Value | null): Choice {
  if (!v) return null;
  if (v.type === "relative") return v;
  return { type: "absolute", range: { from: new Date(v.startDate).getTime(), to: new Date(v.endDate).getTime() } };
}

function fault(v: DateRangePickerProps.Value | null): DateRangePickerProps.ValidationResult {
  const c = chosen(v);
  if (!c) return { valid: true };
  const r = rangeOf(c);
  if (!Number.isFinite(r.from) || !Number.isFinite(r.to)) return { valid: false, errorMessage: "Choose when the range begins and ends." };
  return r.from < r.to ? { valid: true } : { valid: false, errorMessage: "The range ends before it begins." };
}
