import type { Service } from "../service";

export const kinesisvideo: Service = {
  id: "kinesisvideo",
  name: "Kinesis Video Streams",
  title: "Kinesis Video Streams",
  category: "Analytics",
  description: "Take in, keep and give back video of devices",
  keywords: ["kvs", "camera", "media", "fragments"],
  nav: [{ text: "Video streams", path: "/streams", keywords: ["recordings", "fragments", "mkv"] }],
  pages: [{ text: "Create video stream", path: "/streams/create" }],
  load: () => import("./routes"),
};
