import { RunList } from "./RunList";

/** Runs is the list of all results. */
export const Runs = () => <RunList />;
