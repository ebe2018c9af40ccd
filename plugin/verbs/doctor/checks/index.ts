import type { Check, Facts } from '../facts.ts';
import type { Finding } from '../finding.ts';
import { autoscalers, events } from './autoscaling.ts';
import { caBundle } from './ca-bundle.ts';
import { apiServer, setKindsServed } from './cluster.ts';
import { failClosed } from './fail-closed.ts';
import { credentials, rateBudget } from './github.ts';
import { largeObjects } from './large-objects.ts';
import { paths } from './paths.ts';
import { evictions, guardedPods, heldUp, notStarted, stuckPods } from './pods.ts';
import { reachable } from './reachable.ts';
import { runnerVersions } from './runner-versions.ts';
import { certificate, heartbeat, leader, replicas } from './server.ts';
import { contradictions, hooks, logs } from './signal-sources.ts';
import { failurePolicies, isInstalled, present } from './webhooks.ts';

/** In the order of the output: a check comes after those that it depends on. */
const checks: readonly Check[] = [
	apiServer,
	present,
	failurePolicies,
	caBundle,
	paths,
	reachable,
	certificate,
	leader,
	heartbeat,
	replicas,
	credentials,
	rateBudget,
	guardedPods,
	evictions,
	heldUp,
	failClosed,
	notStarted,
	stuckPods,
	hooks,
	logs,
	contradictions,
	largeObjects,
	runnerVersions,
	setKindsServed,
	events,
	autoscalers,
];

/** All findings; without the guard, the only finding is that it is not installed. */
export function diagnose(facts: Facts): Finding[] {
	if (!isInstalled(facts)) return [...[apiServer(facts)].filter((one) => one !== undefined), notInstalled];
	return checks.map((check) => check(facts)).filter((one) => one !== undefined);
}

const notInstalled: Finding = {
	check: 'installation',
	level: 'error',
	message: 'the guard is not installed in this cluster: deleting a runner pod stops its job',
	advice: ['kubectl runners install'],
};
