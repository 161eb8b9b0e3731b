import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import Select from "@cloudscape-design/components/select";
import SpaceBetween from "@cloudscape-design/components/space-between";
import {
  DeleteV2LoggingLevelCommand,
  GetV2LoggingOptionsCommand,
  ListV2LoggingLevelsCommand,
  SetV2LoggingLevelCommand,
  SetV2LoggingOptionsCommand,
  type GetV2LoggingOptionsResponse,
  type LogLevel,
  type LogTargetConfiguration,
  type LogTargetType,
} from "@aws-sdk/client-iot";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { ConfirmModal } from "../../../kit/ConfirmModal";
import { Part } from "../../../kit/DetailPage";
import { List } from "../../../kit/ListPage";
import { useLoad } from "../../../kit/load";
import { all } from "../../../session/aws";
import { send, unless } from "../api";
import { roleFault, RoleInput, useRoles } from "../RoleInput";

const levels: { value: LogLevel; label: string }[] = [
  { value: "DEBUG", label: "Debug (most verbosity)" },
  { value: "INFO", label: "Info" },
  { value: "WARN", label: "Warn" },
  { value: "ERROR", label: "Error (least verbosity)" },
  { value: "DISABLED", label: "Disable logging" },
];

const targets: { value: LogTargetType; label: string }[] = [
  { value: "THING_GROUP", label: "Thing group" },
  { value: "CLIENT_ID", label: "Client ID" },
  { value: "SOURCE_IP", label: "Source IP" },
  { value: "PRINCIPAL_ID", label: "Principal ID" },
];

const labelOf = (level: string | undefined) => levels.find((l) => l.value === level)?.label ?? level ?? "-";

/** Logs is how much is logged of what happens to devices. */
export function Logs() {
  const notify = useNotify();
  const options = useLoad(async (): Promise<Partial<GetV2LoggingOptionsResponse>> => (await unless("NotConfiguredException", () => send(new GetV2LoggingOptionsCommand({})))) ?? {}, []);
  const special = useLoad(
    async () =>
      ((await unless("NotConfiguredException", () => all((nextToken) => send(new ListV2LoggingLevelsCommand({ nextToken })), (p) => p.logTargetConfigurations, (p) => p.nextToken))) ?? []).filter(
        (t) => t.logTarget?.targetType !== "DEFAULT",
      ),
    [],
  );
  const [asking, ask] = useState<"manage" | "add">();
  const [selected, select] = useState<LogTargetConfiguration[]>([]);
  const now = options.data?.disableAllLogs ? "DISABLED" : options.data?.defaultLogLevel;
  return (
    <SpaceBetween size="l">
      <Container
        header={
          <Header
            variant="h2"
            description="What happens to devices (connections, messages, refusals) is logged in the form of AWS IoT's logs, in a file of the server."
            actions={
              <Button disabled={!options.data} onClick={() => ask("manage")}>
                Manage logs
              </Button>
            }
          >
            Logs
          </Header>
        }
      >
        <Part of={options}>{() => <KeyValuePairs columns={2} minColumnWidth={220} items={[{ label: "Log level", value: now ? labelOf(now) : "Not configured" }, { label: "Role", value: <span className="words">{options.data?.roleArn ?? "-"}</span> }]} />}</Part>
      </Container>
      <List
        variant="container"
        title="Log levels of their own"
        description="Of a thing group, a client, an address or a principal."
        items={special}
        id={(t) => `${t.logTarget?.targetType} ${t.logTarget?.targetName}`}
        columns={[
          { id: "name", header: "Target", text: (t) => t.logTarget?.targetName },
          { id: "type", header: "Type", text: (t) => targets.find((x) => x.value === t.logTarget?.targetType)?.label },
          { id: "level", header: "Log level", text: (t) => labelOf(t.logLevel) },
        ]}
        empty={{ title: "None", text: "The log level above holds for all." }}
        select="multi"
        selected={selected}
        onSelect={select}
        actions={(still) => (
          <>
            <Button
              disabled={still.length === 0}
              onClick={() =>
                void (async () => {
                  try {
                    for (const t of still) await send(new DeleteV2LoggingLevelCommand({ targetType: t.logTarget?.targetType, targetName: t.logTarget?.targetName }));
                  } catch (e) {
                    notify({ type: "error", header: "Not deleted", content: e instanceof Error ? e.message : String(e) });
                  }
                  select([]);
                  await special.reload();
                })()
              }
            >
              Delete
            </Button>
            <Button onClick={() => ask("add")}>Add log level</Button>
          </>
        )}
      />
      {asking === "manage" && (
        <Manage
          level={now ?? "ERROR"}
          role={options.data?.roleArn ?? ""}
          onDismiss={() => ask(undefined)}
          onDone={async () => {
            notify({ type: "success", content: "Logs updated." });
            await options.reload();
          }}
        />
      )}
      {asking === "add" && <AddLevel onDismiss={() => ask(undefined)} onDone={special.reload} />}
    </SpaceBetween>
  );
}

function Manage({ level: was, role: old, onDismiss, onDone }: { level: LogLevel; role: string; onDismiss: () => void; onDone: () => Promise<void> }) {
  const roles = useRoles();
  const [level, setLevel] = useState(was);
  const [role, setRole] = useState(old);
  const off = level === "DISABLED";
  const fault = off && !role ? undefined : roleFault(role);
  return (
    <ConfirmModal
      title="Manage logs"
      verb="Update"
      ready={!fault}
      onDismiss={onDismiss}
      onConfirm={async () => {
        await send(new SetV2LoggingOptionsCommand({ defaultLogLevel: off ? undefined : level, disableAllLogs: off, roleArn: role || undefined }));
        await onDone();
      }}
    >
      <FormField label="Log level">
        <Select ariaLabel="Log level" options={levels} selectedOption={levels.find((l) => l.value === level) ?? null} onChange={({ detail }) => setLevel(detail.selectedOption.value as LogLevel)} />
      </FormField>
      <FormField label="Role" description="AWS IoT asks for one. Here the log is a file of the server, and any role of the account will do." errorText={role && fault}>
        <RoleInput roles={roles} value={role} onChange={setRole} />
      </FormField>
    </ConfirmModal>
  );
}

function AddLevel({ onDismiss, onDone }: { onDismiss: () => void; onDone: () => Promise<void> }) {
  const [type, setType] = useState<LogTargetType>("THING_GROUP");
  const [name, setName] = useState("");
  const [level, setLevel] = useState<LogLevel>("DEBUG");
  return (
    <ConfirmModal
      title="Add log level"
      verb="Add"
      ready={name.trim() !== ""}
      onDismiss={onDismiss}
      onConfirm={async () => {
        await send(new SetV2LoggingLevelCommand({ logTarget: { targetType: type, targetName: name.trim() }, logLevel: level }));
        await onDone();
      }}
    >
      <SpaceBetween size="m">
        <FormField label="Type">
          <Select ariaLabel="Type" options={targets} selectedOption={targets.find((t) => t.value === type) ?? null} onChange={({ detail }) => setType(detail.selectedOption.value as LogTargetType)} />
        </FormField>
        <FormField label="Target">
          <Input value={name} onChange={({ detail }) => setName(detail.value)} />
        </FormField>
        <FormField label="Log level">
          <Select ariaLabel="Log level" options={levels} selectedOption={levels.find((l) => l.value === level) ?? null} onChange={({ detail }) => setLevel(detail.selectedOption.value as LogLevel)} />
        </FormField>
      </SpaceBetween>
    </ConfirmModal>
  );
}
