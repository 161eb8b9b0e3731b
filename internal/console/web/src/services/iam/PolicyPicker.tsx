import Button from "@cloudscape-design/components/button";
import Link from "@cloudscape-design/components/link";
import Select from "@cloudscape-design/components/select";
import type { Policy } from "@aws-sdk/client-iam";
import { useState } from "react";
import { to } from "../../frame/route";
import { List } from "../../kit/ListPage";
import { useLoad } from "../../kit/load";
import { listPolicies } from "./api";

const types = [
  { value: "all", label: "All types" },
  { value: "customer", label: "Customer managed" },
  { value: "aws", label: "AWS managed" },
];

export const isAWS = (arn: string | undefined) => arn?.startsWith("arn:aws:iam::aws:") ?? false;

interface Props {
  selected: Policy[];
  onSelect: (selected: Policy[]) => void;
  /** ARNs that are not offered, for they are there already. */
  except?: string[];
  title?: string;
}

/** PolicyPicker offers all managed policies to be ticked. */
export function PolicyPicker({ selected, onSelect, except = [], title = "Permissions policies" }: Props) {
  const policies = useLoad(listPolicies, []);
  const [type, setType] = useState("all");
  const shown = policies.data?.filter((p) => !except.includes(p.Arn ?? "") && (type === "all" || (type === "aws") === isAWS(p.Arn)));
  return (
    <List
      variant="container"
      title={title}
      description="Choose one or more policies."
      items={{ ...policies, data: shown }}
      id={(p) => p.PolicyName ?? ""}
      columns={[
        {
          id: "name",
          header: "Policy name",
          text: (p) => p.PolicyName,
          cell: (p) => (
            <Link href={to(["iam", "policies", "details", p.Arn ?? ""])} external target="_blank">
              {p.PolicyName}
            </Link>
          ),
        },
        { id: "type", header: "Type", text: (p) => (isAWS(p.Arn) ? "AWS managed" : "Customer managed") },
        { id: "attached", header: "Attached entities", text: (p) => p.AttachmentCount ?? 0 },
      ]}
      filter="Filter policies"
      narrow={<Select ariaLabel="Filter by type" options={types} selectedOption={types.find((t) => t.value === type) ?? null} onChange={({ detail }) => setType(detail.selectedOption.value ?? "all")} />}
      empty={{ title: "No policies", text: "There are no policies to choose from." }}
      select="multi"
      selected={selected}
      onSelect={onSelect}
      page={20}
      actions={() => (
        <Button href="#/iam/policies/create" target="_blank" iconName="external" iconAlign="right">
          Create policy
        </Button>
      )}
    />
  );
}
