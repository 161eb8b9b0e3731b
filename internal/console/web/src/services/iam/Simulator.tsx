import Alert from "@cloudscape-design/components/alert";
import Autosuggest from "@cloudscape-design/components/autosuggest";
import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import ContentLayout from "@cloudscape-design/components/content-layout";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import Multiselect from "@cloudscape-design/components/multiselect";
import Select from "@cloudscape-design/components/select";
import SegmentedControl from "@cloudscape-design/components/segmented-control";
import SpaceBetween from "@cloudscape-design/components/space-between";
import StatusIndicator from "@cloudscape-design/components/status-indicator";
import Table from "@cloudscape-design/components/table";
import Textarea from "@cloudscape-design/components/textarea";
import { SimulateCustomPolicyCommand, SimulatePrincipalPolicyCommand, type ContextEntry, type EvaluationResult } from "@aws-sdk/client-iam";
import { useMemo, useState } from "react";
import actions from "virtual:actions";
import { ErrorBox } from "../../kit/ErrorBox";
import { useAction, useLoad } from "../../kit/load";
import { all } from "../../session/aws";
import { listGroups, listRoles, listUsers, send } from "./api";
import { PolicyEditor, sample, useDocument } from "./PolicyEditor";

const every = Object.entries(actions).map(([service, names]) => ({ label: service, options: names.map((n) => ({ value: `${service}:${n}`, label: `${service}:${n}` })) }));

/** Simulator tells what a principal or a policy may do, and which statements decide it. */
export function Simulator() {
  const [of, setOf] = useState("principal");
  const [principal, setPrincipal] = useState<string>();
  const document = useDocument(sample, "identity");
  const [chosen, choose] = useState<string[]>([]);
  const [other, setOther] = useState("");
  const [resources, setResources] = useState("*");
  const [context, setContext] = useState<{ key: string; value: string }[]>([]);
  const [results, setResults] = useState<EvaluationResult[]>();
  const [lacking, setLacking] = useState<string>();
  const action = useAction();

  const principals = useLoad(async () => {
    const some = async <T,>(ask: () => Promise<T[]>, as: (t: T) => { value: string; label: string }) => (await ask()).map(as);
    const [users, groups, roles] = await Promise.all([
      some(listUsers, (u) => ({ value: u.Arn ?? "", label: u.UserName ?? "" })),
      some(listGroups, (g) => ({ value: g.Arn ?? "", label: g.GroupName ?? "" })),
      some(listRoles, (r) => ({ value: r.Arn ?? "", label: r.RoleName ?? "" })),
    ]);
    return [
      { label: "Users", options: users },
      { label: "User groups", options: groups },
      { label: "Roles", options: roles },
    ].filter((g) => g.options.length);
  }, []);

  const run = async () => {
    const ActionNames = [...chosen, ...other.split(/[\s,]+/).filter(Boolean)];
    const wrong =
      of === "principal" && !principal ? "Choose a user, a group or a role." : ActionNames.length === 0 ? "Choose the actions to simulate." : of === "policy" ? await document.fault() : undefined;
    setLacking(wrong);
    if (wrong) return;
    const ResourceArns = resources.split(/[\s,]+/).filter(Boolean);
    const ContextEntries: ContextEntry[] = context.filter((c) => c.key).map((c) => ({ ContextKeyName: c.key, ContextKeyType: "string", ContextKeyValues: c.value.split(",").map((v) => v.trim()) }));
    const input = { ActionNames, ResourceArns: ResourceArns.length ? ResourceArns : undefined, ContextEntries };
    await action.run(async () => {
      setResults(
        of === "principal"
          ? await all((Marker) => send(new SimulatePrincipalPolicyCommand({ ...input, PolicySourceArn: principal, Marker })), (p) => p.EvaluationResults, (p) => p.Marker)
          : await all((Marker) => send(new SimulateCustomPolicyCommand({ ...input, PolicyInputList: [document.text], Marker })), (p) => p.EvaluationResults, (p) => p.Marker),
      );
    });
  };

  const label = useMemo(() => principals.data?.flatMap((g) => g.options).find((o) => o.value === principal), [principals.data, principal]);
  return (
    <ContentLayout
      header={
        <Header variant="h1" description="Nothing is done: the policies are asked what they would decide.">
          Policy simulator
        </Header>
      }
    >
      <SpaceBetween size="l">
        <Container header={<Header variant="h2">Whose permissions</Header>}>
          <SpaceBetween size="m">
            <SegmentedControl
              label="Permissions of"
              selectedId={of}
              onChange={({ detail }) => {
                setOf(detail.selectedId);
                setResults(undefined);
              }}
              options={[
                { id: "principal", text: "User, group or role" },
                { id: "policy", text: "A policy" },
              ]}
            />
            {of === "principal" ? (
              <FormField label="Users, Groups, and Roles">
                <Select
                  ariaLabel="Users, Groups, and Roles"
                  placeholder="Choose one"
                  filteringType="auto"
                  statusType={principals.error ? "error" : principals.loading ? "loading" : "finished"}
                  errorText="They could not be listed."
                  empty="There are no users, groups and roles."
                  options={principals.data ?? []}
                  selectedOption={label ?? null}
                  onChange={({ detail }) => setPrincipal(detail.selectedOption.value)}
                />
              </FormField>
            ) : (
              <PolicyEditor document={document} kind="identity" start="json" />
            )}
            <ErrorBox error={principals.error} onRetry={() => void principals.reload()} />
          </SpaceBetween>
        </Container>
        <Container header={<Header variant="h2">Action settings</Header>}>
          <SpaceBetween size="m">
            <FormField label="Actions" stretch>
              <Multiselect
                ariaLabel="Actions"
                placeholder="Choose actions"
                filteringType="auto"
                options={every}
                selectedOptions={chosen.map((a) => ({ value: a, label: a }))}
                onChange={({ detail }) => choose(detail.selectedOptions.map((o) => o.value ?? ""))}
                tokenLimit={8}
                virtualScroll
              />
            </FormField>
            <FormField label="Other actions - optional" description="Of services that are not in the list: s3:GetObject, lambda:InvokeFunction" stretch>
              <Input value={other} onChange={({ detail }) => setOther(detail.value)} />
            </FormField>
            <FormField label="Resources" description='"*", or ARNs, one on each line.' stretch>
              <Textarea value={resources} onChange={({ detail }) => setResources(detail.value)} rows={2} />
            </FormField>
            <FormField label="Condition keys - optional" description="What the request would be like." stretch>
              <SpaceBetween size="xs">
                {context.map((c, i) => (
                  <SpaceBetween key={i} direction="horizontal" size="xs">
                    <Autosuggest
                      ariaLabel={`Condition key ${i + 1}`}
                      value={c.key}
                      onChange={({ detail }) => setContext(context.map((x, n) => (n === i ? { ...x, key: detail.value } : x)))}
                      options={["aws:SourceIp", "aws:username", "aws:SecureTransport", "aws:CurrentTime", "aws:MultiFactorAuthPresent", "iot:ClientId"].map((value) => ({ value }))}
                      enteredTextLabel={(v) => `Use "${v}"`}
                      placeholder="Key"
                    />
                    <Input ariaLabel={`Condition value ${i + 1}`} value={c.value} onChange={({ detail }) => setContext(context.map((x, n) => (n === i ? { ...x, value: detail.value } : x)))} placeholder="Value, or several with commas" />
                    <Button ariaLabel={`Remove condition key ${i + 1}`} iconName="remove" variant="icon" onClick={() => setContext(context.filter((_, n) => n !== i))} />
                  </SpaceBetween>
                ))}
                <Button onClick={() => setContext([...context, { key: "", value: "" }])}>Add condition key</Button>
              </SpaceBetween>
            </FormField>
            {lacking && <Alert type="error">{lacking}</Alert>}
            <ErrorBox error={action.error} />
            <Button variant="primary" loading={action.busy} onClick={() => void run()}>
              Run simulation
            </Button>
          </SpaceBetween>
        </Container>
        {results && <Results results={results} />}
      </SpaceBetween>
    </ContentLayout>
  );
}

function Results({ results }: { results: EvaluationResult[] }) {
  const rows = results.flatMap((r) => (r.ResourceSpecificResults?.length ? r.ResourceSpecificResults.map((s) => ({ action: r.EvalActionName, resource: s.EvalResourceName, decision: s.EvalResourceDecision, by: s.MatchedStatements, missing: s.MissingContextValues })) : [{ action: r.EvalActionName, resource: r.EvalResourceName, decision: r.EvalDecision, by: r.MatchedStatements, missing: r.MissingContextValues }]));
  const allowed = rows.filter((r) => r.decision === "allowed").length;
  return (
    <Table
      variant="container"
      items={rows}
      wrapLines
      ariaLabels={{ tableLabel: "Results" }}
      header={
        <Header variant="h2" counter={`(${rows.length})`} description={`${allowed} allowed, ${rows.length - allowed} denied.`}>
          Results
        </Header>
      }
      columnDefinitions={[
        { id: "action", header: "Action", minWidth: 160, cell: (r) => r.action, isRowHeader: true },
        { id: "resource", header: "Resource", minWidth: 160, cell: (r) => r.resource ?? "*" },
        {
          id: "decision",
          header: "Permission",
          cell: (r) =>
            r.decision === "allowed" ? (
              <StatusIndicator type="success">allowed</StatusIndicator>
            ) : (
              <StatusIndicator type={r.decision === "explicitDeny" ? "error" : "stopped"}>{r.decision === "explicitDeny" ? "denied by a statement" : "denied: no statement allows it"}</StatusIndicator>
            ),
        },
        {
          id: "by",
          header: "Matching statements",
          cell: (r) =>
            r.by?.length
              ? r.by.map((s, i) => (
                  <div key={i}>
                    {s.SourcePolicyId}
                    {s.StartPosition && `, line ${s.StartPosition.Line}`}
                  </div>
                ))
              : "-",
        },
        { id: "missing", header: "Unknown condition keys", cell: (r) => r.missing?.join(", ") || "-" },
      ]}
      empty={<Box textAlign="center">No results.</Box>}
    />
  );
}
