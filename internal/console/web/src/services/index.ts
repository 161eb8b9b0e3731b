import { fleet } from "./fleet/service";
import { iam } from "./iam/service";
import { iot } from "./iot/service";
import { kinesisvideo } from "./kinesisvideo/service";
import type { Service } from "./service";

/** The services of the console, in the order of the home page. */
export const services: Service[] = [iam, iot, fleet, kinesisvideo];
