import ColumnLayout from "@cloudscape-design/components/column-layout";
import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import Link from "@cloudscape-design/components/link";
import ProgressBar from "@cloudscape-design/components/progress-bar";
import SpaceBetween from "@cloudscape-design/components/space-between";
import StatusIndicator from "@cloudscape-design/components/status-indicator";
import { to } from "../../../frame/route";
import { Part } from "../../../kit/DetailPage";
import { List } from "../../../kit/ListPage";
import type { Loaded } from "../../../kit/load";
import type { RunDetails } from "../api";
import { bytes, figure, measured, phases, share, summaryOf, type ErrorCount, type Metric, type Series, type Snapshot, type ThresholdStatus } from "../report";
import { Chart } from "./Chart";

/** What of a run is there already, for lists. */
const there = <T,>(data: T[], of: Loaded<unknown>): Loaded<T[]> => ({ data, loading: of.loading, reload: of.reload });

/** Overview is a run at a glance: how far it is, over time, and what went wrong. */
export function Overview({ of, run, series, live }: { of: RunDetails; run: Loaded<RunDetails>; series: Loaded<Series>; live: boolean }) {
  const s = of.result ?? of.snapshot;
  if (!s) return <Container>{live ? <StatusIndicator type="pending">The run has not begun yet.</StatusIndicator> : "Nothing was measured."}</Container>;
  return (
    <SpaceBetween size="l">
      <Progress of={s} run={of.run.runId} live={live} />
      {s.thresholds?.length ? <Thresholds of={there(s.thresholds, run)} live={live} /> : null}
      {s.errors?.length ? <Errors of={there(s.errors, run)} run={of.run.runId} /> : null}
      <Part of={series}>{(data) => <Charts of={data} />}</Part>
      <Metrics of={there(s.metrics ?? [], run)} />
    </SpaceBetween>
  );
}

function Progress({ of: s, run, live }: { of: Snapshot; run: string; live: boolean }) {
  const d = s.devices;
  const metric = (name: string) => s.metrics?.find((m) => m.name === name);
  const iterations = metric("iterations");
  const published = metric("publishes");
  const requests = metric("requests");
  const states = phases.filter((k) => d[k] > 0);
  return (
    <Container header={<Header variant="h2">Progress</Header>}>
      <SpaceBetween size="m">
        <ProgressBar
          ariaLabel="Progress"
          value={Math.floor(s.progress * 100)}
          status={live ? "in-progress" : undefined}
          additionalInfo={states.map((k) => `${d[k].toLocaleString("en-US")} ${k}`).join(" · ") || "No devices yet"}
        />
        <KeyValuePairs
          columns={4}
          minColumnWidth={160}
          items={[
            { label: "Devices", value: d.total.toLocaleString("en-US") },
            { label: "Connected", value: d.connected.toLocaleString("en-US") },
            { label: "Iterations", value: figure(iterations?.count ?? 0) },
            { label: "Messages published", value: figure(published?.count ?? 0) },
            { label: "Requests", value: figure(requests?.count ?? 0) },
            { label: "Errors", value: figure((s.errors ?? []).reduce((n, e) => n + e.count, 0)) },
            {
              label: "Devices failed",
              value: d.failed > 0 ? <Link href={to(["fleet", "runs", "details", run], { tab: "devices", phase: "failed" })}>{d.failed.toLocaleString("en-US")}</Link> : "0",
            },
            { label: "Memory", value: bytes(s.memoryBytes) },
          ]}
        />
      </SpaceBetween>
    </Container>
  );
}

function Thresholds({ of, live }: { of: Loaded<ThresholdStatus[]>; live: boolean }) {
  return (
    <List<ThresholdStatus>
      variant="container"
      title="Thresholds"
      items={of}
      id={(t) => t.expression}
      columns={[
        { id: "expression", header: "Threshold", text: (t) => t.expression },
        {
          id: "ok",
          header: live ? "So far" : "Outcome",
          text: (t) => (t.ok ? "Passed" : "Failed"),
          cell: (t) => (live && !t.known ? <StatusIndicator type="pending">Not known yet</StatusIndicator> : t.ok ? <StatusIndicator>Passed</StatusIndicator> : <StatusIndicator type="error">Failed</StatusIndicator>),
        },
        { id: "value", header: "Value", text: (t) => (t.known ? t.value : undefined), cell: (t) => (t.known ? figure(t.value) : "-") },
      ]}
      empty={{ title: "No thresholds" }}
    />
  );
}

function Errors({ of, run }: { of: Loaded<ErrorCount[]>; run: string }) {
  return (
    <List<ErrorCount>
      variant="container"
      title="Errors by reason"
      items={of}
      id={(e) => e.reason}
      page={10}
      columns={[
        // The most frequent first.
        { id: "count", header: "Count", text: (e) => -e.count, cell: (e) => e.count.toLocaleString("en-US") },
        { id: "reason", header: "Reason", text: (e) => e.reason, cell: (e) => <span className="preserve">{e.reason}</span>, width: 420 },
        {
          id: "client",
          header: "First of",
          text: (e) => e.client,
          cell: (e) => (e.client < 0 ? "The run" : <Link href={to(["fleet", "runs", "details", run, "devices", String(e.client)])}>Device {e.client}</Link>),
          width: 140,
        },
      ]}
      empty={{ title: "No errors" }}
    />
  );
}

function Charts({ of }: { of: Series }) {
  const points = of.points ?? [];
  return (
    <ColumnLayout columns={2} minColumnWidth={420}>
      <Chart title="Rate" unit="a second" points={points} of={{ publishes: "Published", received: "Received", requests: "Requests", iterations: "Iterations" }} empty="Nothing was done yet." />
      <Chart
        title="Latency"
        unit="ms"
        gaps
        points={points}
        of={{ publishP50: "Publish, median", publishP99: "Publish, 99 %", requestP50: "Request, median", requestP99: "Request, 99 %", connectP99: "Connect, 99 %" }}
        empty="Nothing was measured yet."
      />
      <Chart title="Errors" unit="a second" points={points} of={{ errors: "Errors", lost: "Lost messages", reconnects: "Reconnects" }} empty="No errors." />
      <Chart title="Devices" points={points} of={{ connected: "Connected", running: "Running" }} empty="No device has started yet." />
    </ColumnLayout>
  );
}

function Metrics({ of }: { of: Loaded<Metric[]> }) {
  const trend = (m: Metric, n: number | undefined) => (m.kind === "trend" ? measured(m.name, n ?? 0) : "-");
  return (
    <List<Metric>
      variant="container"
      title="Metrics"
      description="What thingd measures by itself, and what the model does."
      items={of}
      id={(m) => m.name}
      columns={[
        { id: "name", header: "Metric", text: (m) => m.name },
        { id: "value", header: "Value", text: (m) => summaryOf(m) },
        { id: "avg", header: "Average", text: (m) => m.avg, cell: (m) => trend(m, m.avg), width: 120 },
        { id: "p90", header: "90 %", text: (m) => m.p90, cell: (m) => trend(m, m.p90), width: 120 },
        { id: "p99", header: "99 %", text: (m) => m.p99, cell: (m) => trend(m, m.p99), width: 120 },
        { id: "max", header: "Greatest", text: (m) => m.max, cell: (m) => (m.kind === "gauge" ? measured(m.name, m.max ?? 0) : trend(m, m.max)), width: 120 },
        { id: "rate", header: "A second", text: (m) => m.rate, cell: (m) => (m.kind === "rate" ? share(m.value ?? 0) : m.kind === "gauge" ? "-" : figure(m.rate)), width: 120 },
      ]}
      page={25}
      empty={{ title: "No metrics", text: "Nothing was measured yet." }}
    />
  );
}
