import type { Service } from "../service";

export const iot: Service = {
  id: "iot",
  name: "IoT Core",
  title: "AWS IoT",
  category: "Internet of Things",
  description: "Connect devices to the cloud",
  keywords: ["mqtt", "devices", "things"],
  nav: [
    { text: "Monitor", path: "/", keywords: ["get started", "overview"] },
    { section: "Connect", items: [{ text: "Connect one device", path: "/connect", keywords: ["device kit", "get started", "onboard"] }] },
    { section: "Test", items: [{ text: "MQTT test client", path: "/test", keywords: ["publish", "subscribe", "topic"] }] },
    {
      section: "Manage",
      items: [
        { text: "Things", path: "/things", keywords: ["devices", "registry"] },
        { text: "Types", path: "/thing-types", keywords: ["thing types"] },
        { text: "Thing groups", path: "/thing-groups", keywords: ["fleet"] },
        { text: "Billing groups", path: "/billing-groups" },
        { text: "Retained messages", path: "/retained-messages", keywords: ["mqtt", "retain"] },
      ],
    },
    {
      section: "Secure",
      items: [
        { text: "Certificates", path: "/certificates", keywords: ["keys", "x.509"] },
        { text: "Policies", path: "/policies", keywords: ["permissions"] },
        { text: "Certificate authorities", path: "/certificate-authorities", keywords: ["ca certificates"] },
        { text: "Role aliases", path: "/role-aliases", keywords: ["credentials provider"] },
      ],
    },
    { text: "Settings", path: "/settings", keywords: ["endpoint", "event-based messages", "logs", "logging"] },
  ],
  pages: [
    { text: "Create a single thing", path: "/things/create-single", keywords: ["register a thing"] },
    { text: "Create many things", path: "/things/create-many", keywords: ["bulk"] },
    { text: "Create things", path: "/things/create" },
    { text: "Create thing type", path: "/thing-types/create" },
    { text: "Create thing group", path: "/thing-groups/create" },
    { text: "Create billing group", path: "/billing-groups/create" },
    { text: "Create a certificate", path: "/certificates/create" },
    { text: "Register certificates", path: "/certificates/register" },
    { text: "Register CA certificate", path: "/certificate-authorities/register" },
    { text: "Create IoT policy", path: "/policies/create" },
    { text: "Create role alias", path: "/role-aliases/create" },
  ],
  load: () => import("./routes"),
};
