import type { Service } from "../service";

export const iot: Service = {
  id: "iot",
  name: "IoT Core",
  title: "AWS IoT",
  category: "Internet of Things",
  description: "Connect devices to the cloud",
  keywords: ["mqtt", "things", "devices"],
  nav: [{ section: "Test", items: [{ text: "MQTT test client", path: "/test", keywords: ["publish", "subscribe", "topic"] }] }],
  load: () => import("./routes"),
};
