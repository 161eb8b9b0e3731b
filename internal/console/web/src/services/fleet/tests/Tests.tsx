import Button from "@cloudscape-design/components/button";
import Link from "@cloudscape-design/components/link";
import { to } from "../../../frame/route";
import { ConfirmModal } from "../../../kit/ConfirmModal";
import { DeletableList, type Deleting } from "../../../kit/DeletableList";
import { time } from "../../../kit/format";
import { useLoad } from "../../../kit/load";
import { dateOf, deleteTest, listTests } from "../api";
import { Status } from "../runs/Status";

/** Tests is the list of tests: device models, each with the values of its settings. */
export function Tests() {
  const tests = useLoad(listTests, [], 10_000);
  return (
    <DeletableList
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
      one="Test"
      create={{ href: "#/fleet/tests/create-from-sample", text: "Create from Sample" }}
      more={<Button href="#/fleet/tests/create">Create test</Button>}
      confirm={(t, deleting) => <DeleteTest name={t.testName} {...deleting} />}
    />
  );
}

export function DeleteTest({ name, onDismiss, onDeleted }: { name: string } & Deleting) {
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
