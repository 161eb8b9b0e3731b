import Box from "@cloudscape-design/components/box";
import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Table from "@cloudscape-design/components/table";
import { Copy } from "../../../kit/Copy";
import { Part } from "../../../kit/DetailPage";
import { useLoad } from "../../../kit/load";
import { endpoint } from "../api";
import { shadowTopics } from "../shadows/topics";

/** Interact is how programs speak of a thing: endpoint, HTTPS, topics. */
export function Interact({ name }: { name: string }) {
  // HTTPS for devices has a port of its own, which the jobs' endpoint tells where it is not 443.
  const host = useLoad(async () => {
    const [address, jobs] = await Promise.all([endpoint("iot:Data-ATS"), endpoint("iot:Jobs")]);
    return { address, https: address.replace(/:\d+$/, "") + (/:\d+$/.exec(jobs)?.[0] ?? "") };
  }, []);
  return (
    <Part of={host}>
      {({ address, https }) => (
        <SpaceBetween size="l">
          <Container header={<Header variant="h2" description="This thing is connected with MQTT or HTTPS at this endpoint.">HTTPS and MQTT</Header>}>
            <KeyValuePairs
              columns={1}
              items={[
                { label: "Device data endpoint", value: <div className="words"><Copy text={address} what="Endpoint" /></div> },
                { label: "Update your Thing Shadow using this Rest API endpoint", value: <div className="words"><Copy text={`https://${https}/things/${encodeURIComponent(name)}/shadow`} what="Rest API endpoint" /></div> },
              ]}
            />
          </Container>
          <TopicTable topics={shadowTopics(name)} />
        </SpaceBetween>
      )}
    </Part>
  );
}

/** TopicTable lists topics, each to be copied. */
export function TopicTable({ topics }: { topics: { name: string; action: string; topic: string }[] }) {
  return (
    <Table
      items={topics}
      trackBy="topic"
      wrapLines
      ariaLabels={{ tableLabel: "MQTT topics" }}
      header={<Header variant="h2" description="Use topics to enable applications and things to get, update, or delete the state information for a shadow.">MQTT topics</Header>}
      columnDefinitions={[
        { id: "name", header: "Name", cell: (t) => t.name, isRowHeader: true, minWidth: 150 },
        { id: "action", header: "Action", cell: (t) => t.action, minWidth: 110 },
        { id: "topic", header: "MQTT topic", cell: (t) => <span className="words"><Copy text={t.topic} what="Topic" /></span>, minWidth: 220 },
      ]}
      empty={<Box textAlign="center">No topics</Box>}
    />
  );
}
