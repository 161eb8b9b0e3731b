import Autosuggest from "@cloudscape-design/components/autosuggest";
import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import ColumnLayout from "@cloudscape-design/components/column-layout";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import Multiselect from "@cloudscape-design/components/multiselect";
import RadioGroup from "@cloudscape-design/components/radio-group";
import Select from "@cloudscape-design/components/select";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Table from "@cloudscape-design/components/table";
import Textarea from "@cloudscape-design/components/textarea";
import { useMemo, useState } from "react";
import actions from "virtual:actions";
import { addStatement, removeStatement, type NewStatement } from "../../policy/build";
import { levelOf, statements } from "../../policy/summary";

const names: Record<string, string> = { fleet: "Fleet", iam: "IAM", iot: "IoT", iotjobsdata: "IoT Jobs Data", kinesisvideo: "Kinesis Video Streams", sts: "STS", thingd: "thingd" };

const operators = ["StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "ArnLike", "ArnEquals", "Bool", "IpAddress", "NotIpAddress", "DateGreaterThan", "DateLessThan", "NumericEquals", "NumericLessThan", "Null"];
const keys = ["aws:SourceIp", "aws:SecureTransport", "aws:CurrentTime", "aws:PrincipalTag/key", "aws:RequestTag/key", "aws:ResourceTag/key", "aws:TagKeys", "aws:MultiFactorAuthPresent", "aws:username", "iot:Connection.Thing.IsAttached", "iot:ClientId"];

const words = (text: string) => text.split(/[\s,]+/).filter(Boolean);

/** StatementBuilder puts statements of a policy together by choosing: AWS's policy generator. */
export function StatementBuilder({ document, onChange }: { document: string; onChange: (document: string) => void }) {
  const [effect, setEffect] = useState<"Allow" | "Deny">("Allow");
  const [service, setService] = useState("iot");
  const [chosen, choose] = useState<string[]>([]);
  const [resources, setResources] = useState("*");
  const [operator, setOperator] = useState("");
  const [key, setKey] = useState("");
  const [value, setValue] = useState("");
  const [tried, setTried] = useState(false);

  const known = useMemo(() => actions[service.toLowerCase()] ?? [], [service]);
  const options = useMemo(() => {
    const groups = new Map<string, { value: string; label: string }[]>();
    for (const a of known) {
      const level = levelOf(a);
      groups.set(level, [...(groups.get(level) ?? []), { value: a, label: a }]);
    }
    return [{ value: "*", label: `All actions (${service}:*)` }, ...[...groups].map(([label, options]) => ({ label, options }))];
  }, [known, service]);
  const there = statements(document)
    .map((s, index) => ({ s, index }))
    .filter(({ s }) => !(Array.isArray(s.Action) && s.Action.length === 0)); // of the sample
  const some = (v: string | string[] | undefined) => (v === undefined ? "" : Array.isArray(v) ? v.join(", ") : v);

  const picked = known.length ? chosen : ["*"];
  const fault = {
    actions: picked.length === 0 ? "Choose at least one action." : undefined,
    resources: words(resources).length === 0 ? 'Enter "*" or ARNs.' : words(resources).find((r) => r !== "*" && !r.startsWith("arn:")) ? 'Resources are "*" or ARNs that begin with arn:' : undefined,
    condition: operator && (!key || !value) ? "A condition has a key and a value." : undefined,
  };
  const add = () => {
    setTried(true);
    if (fault.actions || fault.resources || fault.condition) return;
    const s: NewStatement = { Effect: effect, Action: picked.map((a) => `${service}:${a}`), Resource: words(resources) };
    if (operator) s.Condition = { [operator]: { [key]: value } };
    onChange(addStatement(document, s));
    choose([]);
    setOperator("");
    setKey("");
    setValue("");
    setTried(false);
  };

  return (
    <SpaceBetween size="m">
      <Table
        variant="embedded"
        header={<Header variant="h3" counter={`(${there.length})`}>Statements</Header>}
        items={there}
        empty={<Box textAlign="center">No statements yet. Add one below.</Box>}
        ariaLabels={{ tableLabel: "Statements" }}
        wrapLines
        columnDefinitions={[
          { id: "effect", header: "Effect", cell: ({ s }) => s.Effect, width: 100, minWidth: 90, isRowHeader: true },
          { id: "action", header: "Actions", minWidth: 140, cell: ({ s }) => (s.Action !== undefined ? some(s.Action) : `All but ${some(s.NotAction)}`) },
          { id: "resource", header: "Resources", minWidth: 140, cell: ({ s }) => (s.Resource !== undefined ? some(s.Resource) : s.NotResource !== undefined ? `All but ${some(s.NotResource)}` : "-") },
          {
            id: "remove",
            header: "",
            width: 120,
            cell: ({ index }) => (
              <Button variant="inline-link" ariaLabel={`Remove the statement ${index + 1}`} onClick={() => onChange(removeStatement(document, index))}>
                Remove
              </Button>
            ),
          },
        ]}
      />
      <Container header={<Header variant="h3">Add a statement</Header>}>
        <SpaceBetween size="m">
          <FormField label="Effect">
            <RadioGroup
              direction="horizontal"
              value={effect}
              onChange={({ detail }) => setEffect(detail.value as "Allow" | "Deny")}
              items={[
                { value: "Allow", label: "Allow" },
                { value: "Deny", label: "Deny" },
              ]}
            />
          </FormField>
          <ColumnLayout columns={2}>
            <FormField label="Service" description="One of the list, or any other service's prefix.">
              <Autosuggest
                value={service}
                onChange={({ detail }) => {
                  setService(detail.value.trim());
                  choose([]);
                }}
                options={Object.keys(actions).map((s) => ({ value: s, description: names[s] ?? s }))}
                enteredTextLabel={(v) => `Use "${v}"`}
                ariaLabel="Service"
              />
            </FormField>
            <FormField label="Actions" description={known.length ? `${known.length} actions` : `All actions of ${service || "the service"}`} errorText={tried && fault.actions}>
              <Multiselect
                disabled={!known.length}
                options={options}
                selectedOptions={chosen.map((a) => ({ value: a, label: a === "*" ? `All actions (${service}:*)` : a }))}
                onChange={({ detail }) => choose(detail.selectedOptions.map((o) => o.value ?? ""))}
                filteringType="auto"
                placeholder="Choose actions"
                tokenLimit={6}
                ariaLabel="Actions"
              />
            </FormField>
          </ColumnLayout>
          <FormField label="Resources" description='"*", or ARNs with * and ?, one on each line.' errorText={tried && fault.resources} stretch>
            <Textarea value={resources} onChange={({ detail }) => setResources(detail.value)} rows={2} ariaLabel="Resources" />
          </FormField>
          <FormField label="Request condition - optional" errorText={tried && fault.condition} stretch>
            <ColumnLayout columns={3}>
              <Select
                ariaLabel="Operator"
                placeholder="Operator"
                selectedOption={operator ? { value: operator, label: operator } : null}
                onChange={({ detail }) => setOperator(detail.selectedOption.value ?? "")}
                options={[{ value: "", label: "No condition" }, ...operators.map((o) => ({ value: o, label: o }))]}
              />
              <Autosuggest ariaLabel="Condition key" placeholder="Condition key" value={key} onChange={({ detail }) => setKey(detail.value)} options={keys.map((k) => ({ value: k }))} enteredTextLabel={(v) => `Use "${v}"`} disabled={!operator} />
              <Input ariaLabel="Condition value" placeholder="Value" value={value} onChange={({ detail }) => setValue(detail.value)} disabled={!operator} />
            </ColumnLayout>
          </FormField>
          <Button onClick={add}>Add statement</Button>
        </SpaceBetween>
      </Container>
    </SpaceBetween>
  );
}
