import SpaceBetween from "@cloudscape-design/components/space-between";
import Spinner from "@cloudscape-design/components/spinner";
import { ListSubscriptionsCommand } from "@aws-sdk/client-iot-data-plane";
import { all } from "../../../session/aws";
import { lazy, Suspense } from "react";
import { List } from "../../../kit/ListPage";
import { useLoad } from "../../../kit/load";
import { sendData, unless } from "../api";

// It brings the MQTT client along.
const Live = lazy(() => import("../../../live/Activity").then((m) => ({ default: m.Activity })));

/** Activity is what happens to a thing as it happens, and what its client is subscribed to. */
export function Activity({ name }: { name: string }) {
  const subscriptions = useLoad(
    async () =>
      (await unless("ResourceNotFoundException", () =>
        all((nextToken) => sendData(new ListSubscriptionsCommand({ clientId: name, nextToken })), (p) => p.subscriptions, (p) => p.nextToken),
      )) ?? [],
    [name],
    5_000,
  );
  return (
    <SpaceBetween size="l">
      <Suspense fallback={<Spinner />}>
        <Live thing={name} />
      </Suspense>
      <List
        variant="container"
        title="Subscriptions"
        items={subscriptions}
        id={(s) => s.topicFilter ?? ""}
        columns={[
          { id: "filter", header: "Topic filter", text: (s) => s.topicFilter },
          { id: "qos", header: "QoS", text: (s) => s.qos, width: 110 },
        ]}
        empty={{ title: "No subscriptions", text: "The thing's client is subscribed to nothing." }}
      />
    </SpaceBetween>
  );
}
