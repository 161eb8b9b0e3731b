import type { Service } from "../service";

export const fleet: Service = {
  id: "fleet",
  name: "Fleet",
  title: "Fleet",
  category: "Internet of Things",
  description: "Simulate thousands of devices, and test what they talk to",
  keywords: ["simulator", "virtual devices", "load test", "iotify"],
  nav: [
    { text: "Tests", path: "/tests", keywords: ["device models", "templates", "stages"] },
    { text: "Results", path: "/runs", keywords: ["runs", "thresholds", "charts"] },
    { text: "Run Settings", path: "/run-settings", keywords: ["clients", "iterations", "ramp-up"] },
    { text: "Glob", path: "/glob", keywords: ["storage", "aws_iot_endpoint", "certificates"] },
  ],
  pages: [
    { text: "Create test from sample", path: "/tests/create-from-sample", keywords: ["aws-iot-connector", "samples"] },
    { text: "Create test", path: "/tests/create", keywords: ["import a device model"] },
    { text: "Create run setting", path: "/run-settings/create" },
  ],
  load: () => import("./routes"),
};
