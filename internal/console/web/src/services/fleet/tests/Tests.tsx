import Button from "@cloudscape-design/components/button";
import Link from "@cloudscape-design/components/link";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { to } from "../../../frame/route";
import { ConfirmModal } from "../../../kit/ConfirmModal";
import { time } from "../../../kit/format";
import { List } from "../../../kit/ListPage";
import { useLoad } from "../../../kit/load";
import { dateOf, deleteTest, listTests, type TestSummary } from "../api";
import { Status } from "../runs/Status";

/** Tests is the list of tests: device models, each with the values of its settings. */
export function Tests() {
  const notify = useNotify();
  const tests = useLoad(listTests, [], 10_000);
  const [selected, select] = useState<TestSummary[]>([]);
  const [doomed, doom] = useState<TestSummary>();
  return (
    <>
      <List
        title="Tests"
        description="A test is a device model: what each of any number of virtual devices does. Run it to see how it fares."
        items={tests}
        id={(t) => t.testName}
        columns={[
          { id: "name", header: "Test name", text: (t) => t.testName, cell: (t) => <Link href={to(["fleet", "tests", "details", t.testName])}>{t.testName}</Link> },
          { id: "description", header: "Description", text: (t) => t.description },
          { id: "result", header: "Result", text: (t) => t.lastRun?.status, cell: (t) => (t.lastRun ? <Link href={to(["fleet", "runs", "details", t.lastRun.runId])}><Status of={t.lastRun.status} /></Link> : "Not run yet"), width: 150 },
          { id: "modified", header: "Last modified", text: (t) => dateOf(t.lastModifiedAt), cell: (t) => time(dateOf(t.lastModifiedAt)) },
        ]}
        filter="Search tests"
        empty={{
          title: "No tests",
          text: "Samples are a start: the aws-iot-connector registers devices from an access key, others are devices to connect.",
          action: <Button href="#/fleet/tests/create-from-sample">Create from Sample</Button>,
        }}
        select="single"
        selected={selected}
        onSelect={select}
        actions={(still) => (
          <>
            <Button disabled={still.length === 0} onClick={() => doom(still[0])}>
              Delete
            </Button>
            <Button href="#/fleet/tests/create">Create test</Button>
            <Button variant="primary" href="#/fleet/tests/create-from-sample">
              Create from Sample
            </Button>
          </>
        )}
      />
      {doomed && (
        <DeleteTest
          name={doomed.testName}
          onDismiss={() => doom(undefined)}
          onDeleted={() => {
            select([]);
            notify({ type: "success", content: `Test ${doomed.testName} deleted.` });
            return tests.reload();
          }}
        />
      )}
    </>
  );
}

export function DeleteTest({ name, onDismiss, onDeleted }: { name: string; onDismiss: () => void; onDeleted: () => void | Promise<void> }) {
  return (
    <ConfirmModal
      title={`Delete ${name}?`}
      verb="Delete"
      typed={name}
      onDismiss={onDismiss}
      onConfirm={async () => {
        await deleteTest(name);
        await onDeleted();
      }}
    >
      The test is deleted with the values of its settings and its results. What it made elsewhere stays, such as things and certificates, and so does the glob. This cannot be undone.
    </ConfirmModal>
  );
}
