import Button from "@cloudscape-design/components/button";
import type { Policy } from "@aws-sdk/client-iot";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { ConfirmModal } from "../../../kit/ConfirmModal";
import { List } from "../../../kit/ListPage";
import { useLoad } from "../../../kit/load";
import { deletePolicy, listPolicies } from "../api";
import { policyColumns } from "../columns";

/** Policies is the list of the account's IoT policies. */
export function Policies() {
  const notify = useNotify();
  const policies = useLoad(listPolicies, [], 15_000);
  const [selected, select] = useState<Policy[]>([]);
  const [doomed, doom] = useState<string>();
  return (
    <>
      <List
        title="Policies"
        description="AWS IoT policies allow you to control access to the AWS IoT Core data plane operations."
        items={policies}
        id={(p) => p.policyName ?? ""}
        columns={policyColumns}
        filter="Search policies"
        empty={{
          title: "You don't have any policies yet",
          text: "AWS IoT policies give things permission to access AWS IoT resources (like other things, MQTT topics, or thing shadows).",
          action: <Button href="#/iot/policies/create">Create a policy</Button>,
        }}
        select="single"
        selected={selected}
        onSelect={select}
        actions={(still) => (
          <>
            <Button disabled={still.length === 0} onClick={() => doom(still[0]?.policyName)}>
              Delete
            </Button>
            <Button variant="primary" href="#/iot/policies/create">
              Create
            </Button>
          </>
        )}
      />
      {doomed !== undefined && (
        <DeletePolicy
          name={doomed}
          onDismiss={() => doom(undefined)}
          onDeleted={() => {
            select([]);
            notify({ type: "success", content: `Policy ${doomed} deleted.` });
            return policies.reload();
          }}
        />
      )}
    </>
  );
}

export function DeletePolicy({ name, onDismiss, onDeleted }: { name: string; onDismiss: () => void; onDeleted: () => void | Promise<void> }) {
  return (
    <ConfirmModal
      title={`Delete ${name}?`}
      verb="Delete"
      typed={name}
      onDismiss={onDismiss}
      onConfirm={async () => {
        await deletePolicy(name);
        await onDeleted();
      }}
    >
      The policy is detached from all certificates and thing groups that have it, and deleted with all its versions. This cannot be undone.
    </ConfirmModal>
  );
}
