import Button from "@cloudscape-design/components/button";
import Link from "@cloudscape-design/components/link";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { to } from "../../../frame/route";
import { ConfirmModal } from "../../../kit/ConfirmModal";
import type { Deleting } from "../../../kit/DeletableList";
import { time } from "../../../kit/format";
import { List, type Column } from "../../../kit/ListPage";
import { useMany } from "../../../kit/many";
import { dateOf, deleteRun, runsPage, underWay, type Run } from "../api";
import { took } from "../report";
import { Status } from "./Status";

/** How long a run took, or is taking. */
export const lasted = (r: Run, now = Date.now()): string => (r.startedAt === undefined ? "-" : took((r.endedAt ?? now / 1000) * 1000 - r.startedAt * 1000));

/** RunList lists runs: all, or those of a test. */
export function RunList({ testName }: { testName?: string }) {
  const runs = useMany((next) => runsPage(testName, next), [testName], "results", 3_000);
  const [selected, select] = useState<Run[]>([]);
  const [doomed, doom] = useState<Run[]>();
  const test: Column<Run>[] = testName ? [] : [{ id: "test", header: "Test", text: (r) => r.testName, cell: (r) => <Link href={to(["fleet", "tests", "details", r.testName])}>{r.testName}</Link> }];
  return (
    <>
      <List<Run>
        variant={testName ? "container" : "full-page"}
        title="Results"
        description={runs.note ?? (testName ? undefined : "Each run of a test has a result: its status while it runs, and what came of it.")}
        items={runs}
        id={(r) => r.runId}
        columns={[
          // By when they were made, the latest first, as the server lists them.
          { id: "created", header: "Created", text: (r) => -r.createdAt, cell: (r) => <Link href={to(["fleet", "runs", "details", r.runId])}>{time(dateOf(r.createdAt))}</Link> },
          ...test,
          { id: "status", header: "Status", text: (r) => r.status, cell: (r) => <Status of={r.status} />, width: 150 },
          { id: "setting", header: "Run setting", text: (r) => r.runSettingName },
          { id: "clients", header: "Clients", text: (r) => r.clients },
          { id: "took", header: "Took", text: (r) => (r.startedAt === undefined ? undefined : (r.endedAt ?? Date.now() / 1000) - r.startedAt), cell: (r) => lasted(r) },
          { id: "reason", header: "Reason", text: (r) => r.statusReason },
          { id: "id", header: "Run ID", text: (r) => r.runId, cell: (r) => <span className="words">{r.runId}</span> },
        ]}
        filter="Search results"
        empty={{ title: "No results", text: testName ? "The test has not been run yet." : "No test has been run yet.", action: testName ? undefined : <Button href="#/fleet/tests">Tests</Button> }}
        select="multi"
        selected={selected}
        onSelect={select}
        disabled={(r) => underWay(r.status)}
        actions={(still) => (
          <Button disabled={still.length === 0} onClick={() => doom(still)}>
            Delete
          </Button>
        )}
      />
      {doomed && (
        <DeleteRuns
          ids={doomed.map((r) => r.runId)}
          onDismiss={() => doom(undefined)}
          onDeleted={() => {
            select([]);
            return runs.reload();
          }}
        />
      )}
    </>
  );
}

export function DeleteRuns({ ids, onDismiss, onDeleted }: { ids: string[] } & Deleting) {
  const notify = useNotify();
  const one = ids.length === 1;
  const its = one ? "its" : "their";
  return (
    <ConfirmModal
      title={one ? "Delete the result?" : `Delete ${ids.length} results?`}
      verb="Delete"
      onDismiss={onDismiss}
      onConfirm={async () => {
        for (const id of ids) await deleteRun(id);
        notify({ type: "success", content: one ? "Result deleted." : `${ids.length} results deleted.` });
        await onDeleted();
      }}
    >
      The states of {its} devices, {its} logs and {its} measurements are deleted too. This cannot be undone.
    </ConfirmModal>
  );
}
