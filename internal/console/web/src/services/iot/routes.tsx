import { lazy } from "react";
import type { Route } from "../service";

const MqttTestClient = lazy(() => import("./test/MqttTestClient").then((m) => ({ default: m.MqttTestClient })));

export const routes: Route[] = [{ path: "/test", page: MqttTestClient, title: "MQTT test client" }];
