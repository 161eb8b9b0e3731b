import type { Route } from "../service";
import { StreamCreate } from "./streams/StreamCreate";
import { StreamDetail } from "./streams/StreamDetail";
import { Streams } from "./streams/Streams";

export const routes: Route[] = [
  { path: "/", page: Streams, title: "Video streams" },
  { path: "/streams", page: Streams, title: "Video streams" },
  { path: "/streams/create", page: StreamCreate, title: "Create video stream", above: ["/streams"], form: true },
  { path: "/streams/details/:name", page: StreamDetail, title: (p) => p.name ?? "", above: ["/streams"] },
];
