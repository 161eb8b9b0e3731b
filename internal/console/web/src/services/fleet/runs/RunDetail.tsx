import Alert from "@cloudscape-design/components/alert";
import Button from "@cloudscape-design/components/button";
import ButtonDropdown from "@cloudscape-design/components/button-dropdown";
import Link from "@cloudscape-design/components/link";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useState, type ReactNode } from "react";
import { go, to } from "../../../frame/route";
import { Copy } from "../../../kit/Copy";
import { DetailPage } from "../../../kit/DetailPage";
import { download } from "../../../kit/download";
import { ErrorBox } from "../../../kit/ErrorBox";
import { time } from "../../../kit/format";
import { useAction, useLoad } from "../../../kit/load";
import type { Params } from "../../service";
import { dateOf, getReport, getRun, getSeries, runAgain, stopRun, underWay, type ReportFormat, type RunDetails } from "../api";
import { took } from "../report";
import { inWords } from "../settings/form";
import { DeviceTable } from "./DeviceTable";
import { Logs } from "./Logs";
import { Overview } from "./Overview";
import { DeleteRuns, lasted } from "./RunList";
import { Status } from "./Status";

/** RunDetail is the result of a run, live while it runs. Nothing of the run shown before is left in it. */
export function RunDetail({ params: { id = "" } }: { params: Params }) {
  return <OneRun key={id} id={id} />;
}

function OneRun({ id }: { id: string }) {
  const [live, setLive] = useState(true);
  const run = useLoad(async () => {
    const d = await getRun(id);
    setLive(underWay(d.run.status));
    return d;
  }, [id], live ? 1_000 : undefined);
  // Once more when the run is over: the last points are there then.
  const series = useLoad(() => getSeries(id), [id, live], live ? 2_000 : undefined);
  const action = useAction();
  const [doomed, doom] = useState(false);

  const report = (format: ReportFormat) =>
    action.run(async () => {
      const r = await getReport(id, format);
      download(r.fileName, r.report, r.contentType);
    });
  const again = (d: RunDetails) =>
    action.run(async () => {
      const { runId } = await runAgain(d);
      go(to(["fleet", "runs", "details", runId]));
    });
  // What a button came to stands above whatever is being looked at.
  const tab = (tabId: string, label: string, content: ReactNode) => ({
    id: tabId,
    label,
    content: (
      <SpaceBetween size="m">
        <ErrorBox error={action.error} />
        {content}
      </SpaceBetween>
    ),
  });

  return (
    <>
      <DetailPage
        title={run.data ? `Result of ${run.data.run.testName}` : "Result"}
        of={run}
        actions={(d) =>
          live ? (
            <Button loading={action.busy || d.run.status === "STOPPING"} loadingText="Stopping" onClick={() => void action.run(() => stopRun(id).then(run.reload))}>
              Stop
            </Button>
          ) : (
            <SpaceBetween direction="horizontal" size="xs">
              <Button onClick={() => doom(true)}>Delete</Button>
              <ButtonDropdown
                items={[
                  { id: "text", text: "Summary" },
                  { id: "json", text: "JSON" },
                  { id: "csv", text: "CSV" },
                  { id: "junit", text: "JUnit" },
                ]}
                loading={action.busy}
                onItemClick={({ detail }) => void report(detail.id as ReportFormat)}
              >
                Download
              </ButtonDropdown>
              <Button variant="primary" loading={action.busy} onClick={() => void again(d)}>
                Run again
              </Button>
            </SpaceBetween>
          )
        }
        summaryTitle="Result"
        summary={(d) => {
          const s = d.result ?? d.snapshot;
          return [
            {
              label: "Status",
              value: (
                <span role="status">
                  <Status of={d.run.status} />
                </span>
              ),
            },
            { label: "Test", value: <Link href={to(["fleet", "tests", "details", d.run.testName])}>{d.run.testName}</Link> },
            { label: "Run setting", value: d.run.runSettingName ? `${d.run.runSettingName}: ${inWords(d.runSettings)}` : inWords(d.runSettings) },
            { label: "Started", value: time(dateOf(d.run.startedAt)) },
            { label: live ? "Time so far" : "Took", value: lasted(d.run) + (s?.virtual ? `, ${took(s.virtualMs ?? 0)} of virtual time` : "") },
            { label: "Seed", value: s ? <Copy text={String(s.seed)} what="Seed" /> : "-" },
          ];
        }}
        tabs={(d) => [
          tab(
            "overview",
            "Overview",
            <SpaceBetween size="m">
              {!live && d.run.status !== "SUCCEEDED" && <Outcome of={d} />}
              <Overview of={d} run={run} series={series} live={live} />
            </SpaceBetween>,
          ),
          tab("devices", "Devices", <DeviceTable run={id} total={d.run.clients} counts={(d.result ?? d.snapshot)?.devices} first={d.runSettings.offset ?? 0} live={live} />),
          tab("logs", "Logs", <Logs run={id} live={live} />),
        ]}
      />
      {doomed && <DeleteRuns ids={[id]} onDismiss={() => doom(false)} onDeleted={() => go("#/fleet/runs")} />}
    </>
  );
}

/** Outcome says why a run is no success. */
function Outcome({ of: { run, result } }: { of: RunDetails }) {
  const reason = result?.reason ?? run.statusReason;
  if (run.status === "STOPPED") return <Alert type="info" header="The run was stopped">{reason}</Alert>;
  return (
    <Alert type="error" header={result?.outcome === "thresholds" ? "A threshold was not met" : "The run failed"}>
      <span className="words">{reason ?? "There is no reason told."}</span>
    </Alert>
  );
}
