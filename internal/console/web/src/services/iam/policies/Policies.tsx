import Button from "@cloudscape-design/components/button";
import Link from "@cloudscape-design/components/link";
import Select from "@cloudscape-design/components/select";
import type { Policy } from "@aws-sdk/client-iam";
import { useState } from "react";
import { to } from "../../../frame/route";
import { ConfirmModal } from "../../../kit/ConfirmModal";
import { DeletableList, type Deleting } from "../../../kit/DeletableList";
import { time } from "../../../kit/format";
import { useLoad } from "../../../kit/load";
import { deletePolicy, listPolicies } from "../api";
import { isAWS } from "../PolicyPicker";

const types = [
  { value: "all", label: "All types" },
  { value: "customer", label: "Customer managed" },
  { value: "aws", label: "AWS managed" },
];

/** Policies is the list of managed policies. */
export function Policies() {
  const policies = useLoad(listPolicies, [], 15_000);
  const [type, setType] = useState("all");
  return (
    <DeletableList
      title="Policies"
      description="A policy is an object in AWS that defines permissions."
      items={{ ...policies, data: policies.data?.filter((p) => type === "all" || (type === "aws") === isAWS(p.Arn)) }}
      id={(p) => p.PolicyName ?? ""}
      columns={[
        { id: "name", header: "Policy name", text: (p) => p.PolicyName, cell: (p) => <Link href={to(["iam", "policies", "details", p.Arn ?? ""])}>{p.PolicyName}</Link> },
        { id: "type", header: "Type", text: (p) => (isAWS(p.Arn) ? "AWS managed" : "Customer managed") },
        { id: "used", header: "Used as", text: (p) => (p.AttachmentCount ? `Permissions policy (${p.AttachmentCount})` : "None") },
        { id: "version", header: "Default version", text: (p) => p.DefaultVersionId },
        { id: "updated", header: "Edited", text: (p) => p.UpdateDate, cell: (p) => time(p.UpdateDate) },
      ]}
      filter="Search policies"
      narrow={<Select ariaLabel="Filter by type" options={types} selectedOption={types.find((t) => t.value === type) ?? null} onChange={({ detail }) => setType(detail.selectedOption.value ?? "all")} />}
      empty={{ title: "No policies", text: "There are no policies in this account.", action: <Button href="#/iam/policies/create">Create policy</Button> }}
      disabled={(p) => isAWS(p.Arn)}
      one="Policy"
      create={{ href: "#/iam/policies/create", text: "Create policy" }}
      confirm={(p, deleting) => <DeletePolicy policy={p} {...deleting} />}
    />
  );
}

export function DeletePolicy({ policy, onDismiss, onDeleted }: { policy: Policy } & Deleting) {
  return (
    <ConfirmModal
      title={`Delete ${policy.PolicyName}?`}
      verb="Delete"
      typed={policy.PolicyName}
      onDismiss={onDismiss}
      onConfirm={async () => {
        await deletePolicy(policy.Arn ?? "");
        await onDeleted();
      }}
    >
      The policy is detached from all users, groups and roles that have it, and deleted with all its versions. This cannot be undone.
    </ConfirmModal>
  );
}
