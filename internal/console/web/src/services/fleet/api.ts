import { isCode } from "../../kit/errors";
import type { Page } from "../../kit/many";
import { all } from "../../session/aws";
import { own } from "../../session/own";
import { whole, type ModelSetting, type RunSettings } from "./model";
import type { DevicePhase, Result, Series, Snapshot } from "./report";

/** The calls of thingd's own API of the fleet, as the screens ask them. Times are seconds since 1970. */

export interface Sample {
  sampleName: string;
  description?: string;
  settings: ModelSetting[];
  minIterations?: number;
}

export interface TestSummary {
  testName: string;
  testArn: string;
  description?: string;
  sampleName?: string;
  version: number;
  createdAt: number;
  lastModifiedAt: number;
  lastRun?: Run;
}

export interface Test {
  test: TestSummary;
  modelDocument: string;
  settings: Record<string, string>;
  /** Names of secret settings that have a value. */
  secretSettings: string[];
}

export interface RunSetting {
  runSettingName: string;
  runSettingArn: string;
  runSettings: RunSettings;
  createdAt?: number;
  lastModifiedAt?: number;
}

export type RunStatus = "QUEUED" | "RUNNING" | "STOPPING" | "SUCCEEDED" | "FAILED" | "STOPPED";

export interface Run {
  runId: string;
  runArn: string;
  testName: string;
  testVersion: number;
  runSettingName?: string;
  status: RunStatus;
  statusReason?: string;
  clients: number;
  createdAt: number;
  startedAt?: number;
  endedAt?: number;
}

export interface RunDetails {
  run: Run;
  runSettings: RunSettings;
  snapshot?: Snapshot;
  result?: Result;
}

export interface Device {
  client: number;
  phase: DevicePhase;
  iteration: number;
  connected: boolean;
  published: number;
  received: number;
  errors: number;
  lastError?: string;
}

export interface LogEntry {
  sequence: number;
  time: number;
  client?: number;
  level: string;
  text: string;
}

export interface DeviceDetails {
  device: Device;
  state?: string;
  lastTopic?: string;
  lastPayload?: string;
  lastPayloadHex?: boolean;
  logs: LogEntry[];
}

export interface GlobKey {
  globKey: string;
  size: number;
  lastModifiedAt: number;
}

/** What is wrong with a model. With a line and without a stage it is in the shared script. */
export interface Fault {
  message: string;
  stage?: string;
  line?: number;
  column?: number;
}

/** What thingd can write of a run that is over. */
export type ReportFormat = "text" | "json" | "csv" | "junit";

type Method = Parameters<typeof own>[0];

const call = <T>(method: Method, path: string, { query, body }: { query?: Record<string, string | undefined>; body?: object } = {}) => own<T>(method, "/fleet" + path, body, { service: "fleet", query });

const at = encodeURIComponent;

/** How many items are asked for at a time. */
const size = "250";

interface Listed {
  nextToken?: string;
}

export const listSamples = () => all((nextToken) => call<Listed & { samples: Sample[] }>("GET", "/samples", { query: { nextToken } }), (p) => p.samples, (p) => p.nextToken);
export const getSample = (name: string) => call<{ sample: Sample; modelDocument: string; policyDocument?: string }>("GET", `/samples/${at(name)}`);

export const listTests = () => all((nextToken) => call<Listed & { tests: TestSummary[] }>("GET", "/tests", { query: { nextToken, maxResults: size } }), (p) => p.tests, (p) => p.nextToken);
export const getTest = (name: string) => call<Test>("GET", `/tests/${at(name)}`);
export const createTest = (name: string, body: { sampleName?: string; modelDocument?: string; settings?: Record<string, string> }) => call<{ testName: string }>("POST", `/tests/${at(name)}`, { body });
export const updateTest = (name: string, body: { modelDocument?: string; settings?: Record<string, string>; removeSettings?: string[]; expectedVersion?: number }) =>
  call<{ version: number }>("PATCH", `/tests/${at(name)}`, { body });
export const deleteTest = (name: string) => call<object>("DELETE", `/tests/${at(name)}`);
export const validateModel = (modelDocument: string) => call<{ valid: boolean; faults: Fault[] }>("POST", "/validate-model", { body: { modelDocument } });

export const listRunSettings = () =>
  all((nextToken) => call<Listed & { runSettings: RunSetting[] }>("GET", "/run-settings", { query: { nextToken, maxResults: size } }), (p) => p.runSettings, (p) => p.nextToken);
export const getRunSetting = async (name: string) => (await call<{ runSetting: RunSetting }>("GET", `/run-settings/${at(name)}`)).runSetting;
export const putRunSetting = (name: string, runSettings: RunSettings) => call<object>("PUT", `/run-settings/${at(name)}`, { body: { runSettings } });
export const deleteRunSetting = (name: string) => call<object>("DELETE", `/run-settings/${at(name)}`);

export const startRun = (test: string, body: { runSettingName?: string; runSettings?: RunSettings }) => call<{ runId: string }>("POST", `/tests/${at(test)}/runs`, { body });
/** runAgain starts a run with what an earlier one ran with, whatever has become of its run setting since. */
export async function runAgain({ run: { testName, runSettingName }, runSettings }: RunDetails): Promise<{ runId: string }> {
  const start = (runSettingName?: string) => startRun(testName, { runSettingName, runSettings: whole(runSettings) });
  try {
    return await start(runSettingName);
  } catch (e) {
    if (runSettingName !== undefined && isCode(e, "ResourceNotFoundException")) return start();
    throw e;
  }
}
export const stopRun = (id: string) => call<{ status: RunStatus }>("POST", `/runs/${at(id)}/stop`, { body: {} });
export const deleteRun = (id: string) => call<object>("DELETE", `/runs/${at(id)}`);

/** runsPage lists runs, the latest first; of one test where it is named. */
export async function runsPage(testName?: string, nextToken?: string): Promise<Page<Run>> {
  const p = await call<Listed & { runs: Run[] }>("GET", "/runs", { query: { testName, nextToken, maxResults: size } });
  return { items: p.runs, next: p.nextToken };
}

export async function getRun(id: string): Promise<RunDetails> {
  const { snapshot, result, ...run } = await call<Omit<RunDetails, "snapshot" | "result"> & { snapshot?: string; result?: string }>("GET", `/runs/${at(id)}`);
  return { ...run, snapshot: snapshot ? (JSON.parse(snapshot) as Snapshot) : undefined, result: result ? (JSON.parse(result) as Result) : undefined };
}

export const getSeries = async (id: string) => JSON.parse((await call<{ series: string }>("GET", `/runs/${at(id)}/series`)).series) as Series;
export const getReport = (id: string, format: ReportFormat) => call<{ contentType: string; fileName: string; report: string }>("GET", `/runs/${at(id)}/report`, { query: { format } });

/** How many lines of a log come at a time. */
export const logPage = 1000;

/** listLogs answers the lines behind one, the oldest first. */
export const listLogs = (id: string, after: number) => call<{ logs: LogEntry[]; lastSequence: number }>("GET", `/runs/${at(id)}/logs`, { query: { after: String(after), maxResults: String(logPage) } });

export const listDevices = (id: string, maxResults: number, phase?: DevicePhase, nextToken?: string) =>
  call<Listed & { devices: Device[] }>("GET", `/runs/${at(id)}/devices`, { query: { phase, nextToken, maxResults: String(maxResults) } });
export const getDevice = (id: string, client: string) => call<DeviceDetails>("GET", `/runs/${at(id)}/devices/${at(client)}`);

export async function globPage(prefix: string, nextToken?: string): Promise<Page<GlobKey>> {
  const p = await call<Listed & { keys: GlobKey[] }>("GET", "/glob", { query: { prefix: prefix || undefined, nextToken, maxResults: size } });
  return { items: p.keys, next: p.nextToken };
}
export const getGlob = (globKey: string) => call<{ value: string; lastModifiedAt: number }>("GET", "/glob-value", { query: { globKey } });
export const putGlob = (globKey: string, value: string) => call<object>("PUT", "/glob-value", { query: { globKey }, body: { value } });
export const deleteGlob = (globKey: string) => call<object>("DELETE", "/glob-value", { query: { globKey } });

export const dateOf = (seconds: number | undefined): Date | undefined => (seconds === undefined ? undefined : new Date(seconds * 1000));

/** Whether a run may still tell something new. */
export const underWay = (status: RunStatus): boolean => status === "QUEUED" || status === "RUNNING" || status === "STOPPING";
