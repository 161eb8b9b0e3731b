import Button from "@cloudscape-design/components/button";
import { ConfirmModal } from "../../../kit/ConfirmModal";
import { DeletableList, type Deleting } from "../../../kit/DeletableList";
import { useLoad } from "../../../kit/load";
import { deletePolicy, listPolicies } from "../api";
import { policyColumns } from "../columns";

/** Policies is the list of the account's IoT policies. */
export function Policies() {
  const policies = useLoad(listPolicies, [], 15_000);
  return (
    <DeletableList
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
      one="Policy"
      create={{ href: "#/iot/policies/create", text: "Create" }}
      confirm={(p, deleting) => <DeletePolicy name={p.policyName ?? ""} {...deleting} />}
    />
  );
}

export function DeletePolicy({ name, onDismiss, onDeleted }: { name: string } & Deleting) {
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
