import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import ContentLayout from "@cloudscape-design/components/content-layout";
import ExpandableSection from "@cloudscape-design/components/expandable-section";
import Header from "@cloudscape-design/components/header";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Tabs from "@cloudscape-design/components/tabs";
import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import { usePlace } from "../../../frame/route";
import { Copy } from "../../../kit/Copy";
import { ErrorBox } from "../../../kit/ErrorBox";
import { clock } from "../../../live/clock";
import { Status } from "../../../live/Status";
import { region } from "../../../session/region";
import { testClient, type TestClient } from "./client";
import { PublishForm } from "./PublishForm";
import { SubscribeForm } from "./SubscribeForm";
import { Subscriptions } from "./Subscriptions";

/** MqttTestClient subscribes and publishes as who is signed in. ?subscribe= and ?publish= bring a topic along. */
export function MqttTestClient() {
  const { query } = usePlace();
  const client = testClient(region());
  useSyncExternalStore(client.listen, client.now);
  const publish = query.get("publish");
  const subscribe = query.get("subscribe");
  const [tab, setTab] = useState(publish !== null ? "publish" : "subscribe");

  // What a link asks for is subscribed to once there is a connection; a refusal is shown in its log.
  const asked = useRef(subscribe);
  const connected = client.connection.state.of === "connected";
  useEffect(() => {
    const filter = asked.current;
    if (!connected || !filter) return;
    asked.current = null;
    void client.subscribe(filter, client.sub(filter)?.config ?? { qos: 0, keep: 100, display: "auto" }).catch(() => {});
  }, [client, connected]);

  useEffect(() => {
    const look = () => client.watch(document.visibilityState === "visible");
    look();
    document.addEventListener("visibilitychange", look);
    return () => {
      document.removeEventListener("visibilitychange", look);
      client.watch(false);
    };
  }, [client]);

  return (
    <ContentLayout
      header={
        <Header
          variant="h1"
          description="You can use the MQTT test client to monitor the MQTT messages being passed in your account. Devices publish MQTT messages that are identified by topics to communicate their state. You can subscribe to topics, and publish messages to them."
        >
          MQTT test client
        </Header>
      }
    >
      <SpaceBetween size="l">
        <Details client={client} />
        {/* Tabs in a container of their own kind forget what was entered in them. */}
        <Container>
          <Tabs
            activeTabId={tab}
            onChange={({ detail }) => setTab(detail.activeTabId)}
            tabs={[
              { id: "subscribe", label: "Subscribe", contentRenderStrategy: "lazy", content: <SubscribeForm client={client} start={subscribe ?? ""} /> },
              { id: "publish", label: "Publish", contentRenderStrategy: "lazy", content: <PublishForm client={client} start={publish ?? ""} /> },
            ]}
          />
        </Container>
        <Subscriptions client={client} />
      </SpaceBetween>
    </ContentLayout>
  );
}

/** Details says what the connection is, and connects and disconnects. */
function Details({ client }: { client: TestClient }) {
  const { connection } = client;
  const { state } = connection;
  const off = state.of === "closed" || state.of === "refused" || state.of === "waiting";
  const error = state.of === "refused" || state.of === "waiting" ? state.error : undefined;
  return (
    <SpaceBetween size="m">
      <ExpandableSection
        variant="container"
        headerText="Connection details"
        headerActions={
          <SpaceBetween direction="horizontal" size="s" alignItems="center">
            <Status state={state} />
            {off ? <Button onClick={() => connection.connect()}>Connect</Button> : <Button onClick={() => connection.close()}>Disconnect</Button>}
          </SpaceBetween>
        }
      >
        <KeyValuePairs
          columns={3}
          minColumnWidth={220}
          items={[
            { label: "Client ID", value: <Copy text={connection.clientId} what="Client ID" /> },
            { label: "Endpoint", value: <Copy text={`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/mqtt`} what="Endpoint" /> },
            { label: "Connected since", value: state.of === "connected" ? clock(state.since) : "-" },
            { label: "Protocol", value: "MQTT 5 over WebSocket" },
            { label: "Region", value: connection.region },
            { label: "Signed as", value: "You, with the temporary credentials of your session" },
          ]}
        />
      </ExpandableSection>
      <ErrorBox error={error} what={state.of === "refused" ? "The connection was refused" : "The connection was lost and is tried again"} />
    </SpaceBetween>
  );
}
