import "./fleet.css";
import type { Route } from "../service";
import { Glob } from "./glob/Glob";
import { GlobEntry } from "./glob/GlobEntry";
import { DeviceDetail } from "./runs/DeviceDetail";
import { RunDetail } from "./runs/RunDetail";
import { Runs } from "./runs/Runs";
import { RunSettingCreate, RunSettingEdit } from "./settings/RunSettingEdit";
import { RunSettings } from "./settings/RunSettings";
import { Samples } from "./tests/Samples";
import { TestCreate } from "./tests/TestCreate";
import { TestDetail } from "./tests/TestDetail";
import { Tests } from "./tests/Tests";

export const routes: Route[] = [
  { path: "/", page: Tests, title: "Tests" },
  { path: "/tests", page: Tests, title: "Tests" },
  { path: "/tests/create", page: TestCreate, title: "Create test", above: ["/tests"], form: true },
  { path: "/tests/create-from-sample", page: Samples, title: "Create from Sample", above: ["/tests"] },
  { path: "/tests/details/:name", page: TestDetail, title: (p) => p.name ?? "", above: ["/tests"] },
  { path: "/runs", page: Runs, title: "Results" },
  { path: "/runs/details/:id", page: RunDetail, title: (p) => `Result ${(p.id ?? "").slice(0, 8)}`, above: ["/runs"] },
  { path: "/runs/details/:id/devices/:client", page: DeviceDetail, title: (p) => `Device ${p.client}`, above: ["/runs", "/runs/details/:id"] },
  { path: "/run-settings", page: RunSettings, title: "Run Settings" },
  { path: "/run-settings/create", page: RunSettingCreate, title: "Create run setting", above: ["/run-settings"] },
  { path: "/run-settings/details/:name", page: RunSettingEdit, title: (p) => p.name ?? "", above: ["/run-settings"] },
  { path: "/glob", page: Glob, title: "Glob" },
  { path: "/glob/details/:key", page: GlobEntry, title: (p) => p.key ?? "", above: ["/glob"] },
];
