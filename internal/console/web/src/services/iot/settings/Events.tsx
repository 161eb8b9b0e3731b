import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import StatusIndicator from "@cloudscape-design/components/status-indicator";
import Table from "@cloudscape-design/components/table";
import Toggle from "@cloudscape-design/components/toggle";
import { DescribeEventConfigurationsCommand, UpdateEventConfigurationsCommand, type EventType } from "@aws-sdk/client-iot";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { ConfirmModal } from "../../../kit/ConfirmModal";
import { ErrorBox } from "../../../kit/ErrorBox";
import { useLoad } from "../../../kit/load";
import { send } from "../api";

/** The events in AWS's words, and where they are published. AWS's API has switches without a topic, which change nothing here. */
const events: { type: EventType; name: string; topic?: string }[] = [
  { type: "THING", name: "Thing: created, updated, deleted", topic: "$aws/events/thing/+/+" },
  { type: "THING_GROUP", name: "Thing group: created, updated, deleted", topic: "$aws/events/thingGroup/+/+" },
  { type: "THING_GROUP_MEMBERSHIP", name: "Thing group membership: added, removed", topic: "$aws/events/thingGroupMembership/thingGroup/+/thing/+/+" },
  { type: "THING_GROUP_HIERARCHY", name: "Thing group hierarchy: added, removed", topic: "$aws/events/thingGroupHierarchy/thingGroup/+/childThingGroup/+/+" },
  { type: "THING_TYPE", name: "Thing type: created, updated, deleted", topic: "$aws/events/thingType/+/+" },
  { type: "THING_TYPE_ASSOCIATION", name: "Thing type association: added, removed", topic: "$aws/events/thingTypeAssociation/thing/+/thingType/+/+" },
  { type: "POLICY", name: "Policy: created, updated, deleted" },
  { type: "CERTIFICATE", name: "Certificate: created, updated, deleted" },
  { type: "CA_CERTIFICATE", name: "CA certificate: registered, updated, deleted" },
  { type: "JOB", name: "Job: completed, canceled, deleted" },
  { type: "JOB_EXECUTION", name: "Job execution: success, failed and others" },
];

const silent = "None: thingd keeps the setting and publishes nothing of it";

/** Events shows which events of the registry are published, and switches them. */
export function Events() {
  const notify = useNotify();
  const on = useLoad(async () => (await send(new DescribeEventConfigurationsCommand({}))).eventConfigurations ?? {}, []);
  const [edited, edit] = useState<Partial<Record<EventType, boolean>>>();
  return (
    <SpaceBetween size="m">
      <ErrorBox error={on.error} onRetry={() => void on.reload()} />
      <Table
        items={events}
        trackBy="type"
        wrapLines
        loading={on.loading && !on.data}
        loadingText="Loading event settings"
        ariaLabels={{ tableLabel: "Event-based messages" }}
        header={
          <Header
            variant="h2"
            description="Messages that are published to MQTT topics when things, groups or types change."
            actions={
              <Button disabled={!on.data} onClick={() => edit(Object.fromEntries(events.map((e) => [e.type, on.data?.[e.type]?.Enabled ?? false])))}>
                Manage events
              </Button>
            }
          >
            Event-based messages
          </Header>
        }
        columnDefinitions={[
          { id: "name", header: "Event", cell: (e) => e.name, isRowHeader: true, minWidth: 180 },
          {
            id: "status",
            header: "Status",
            minWidth: 110,
            cell: (e) => <StatusIndicator type={on.data?.[e.type]?.Enabled ? "success" : "stopped"}>{on.data?.[e.type]?.Enabled ? "On" : "Off"}</StatusIndicator>,
          },
          { id: "topic", header: "MQTT topic", cell: (e) => <span className="words">{e.topic ?? silent}</span>, minWidth: 180 },
        ]}
        empty={<Box textAlign="center">Not known</Box>}
      />
      {edited && (
        <ConfirmModal
          title="Manage events"
          verb="Update"
          onDismiss={() => edit(undefined)}
          onConfirm={async () => {
            await send(new UpdateEventConfigurationsCommand({ eventConfigurations: Object.fromEntries(Object.entries(edited).map(([type, Enabled]) => [type, { Enabled }])) }));
            notify({ type: "success", content: "Event-based messages updated." });
            await on.reload();
          }}
        >
          {events.map((e) => (
            <Toggle key={e.type} checked={edited[e.type] ?? false} onChange={({ detail }) => edit({ ...edited, [e.type]: detail.checked })} description={e.topic ?? silent}>
              {e.name}
            </Toggle>
          ))}
        </ConfirmModal>
      )}
    </SpaceBetween>
  );
}
