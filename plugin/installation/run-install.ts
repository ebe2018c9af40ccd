import { names } from '../../admission/api/keys.ts';
import type { ConnectionFlags } from '../cli/connection-flags.ts';
import type { DryRun } from '../cli/flag-types.ts';
import { CliError, exitCode, isCliError } from '../errors.ts';
import { guardAnswers } from '../guard/probe.ts';
import { connect } from '../kube/connect.ts';
import { ApiError, UnreachableError } from '../kube/failure.ts';
import { type DataFormat, formatObjects } from '../print/data.ts';
import { print, printError } from '../print/out.ts';
import { stderr, stdout } from '../print/progress.ts';
import {
	applyStep,
	type Checked,
	checkSteps,
	outcomeOf,
	readSteps,
	refuseConflicts,
	type Step,
} from './apply.ts';
import { whereServed } from './creation-policy.ts';
import { type Choice, chosenObjects, guardControllers } from './install-options.ts';
import { installedIn } from './installed-in.ts';
import { type Manifest, nameOf } from './manifest.ts';
import { Objects } from './objects.ts';
import { findOurs, obsolete } from './obsolete.ts';
import { findObstacles, listDeployments, refusal } from './obstacles.ts';
import { offerFailClosed } from './offer-fail-closed.ts';
import { inOrder, inPhases } from './order.ts';
import { overlays } from './overlays.ts';
import { isOurNamespace } from './ownership.ts';
import { credentialsHint, untilEstablished } from './ready.ts';
import {
	autoscalerLines,
	findAutoscalers,
	findTakeovers,
	planLines,
	webhookServerLines,
} from './takeover.ts';
import { releaseSets } from './traces.ts';
import { inNamespace } from './transforms.ts';
import { untilGuarded } from './until-guarded.ts';

export interface InstallOptions extends Choice {
	connection: ConnectionFlags;
	dryRun: DryRun;
	format: DataFormat | undefined;
	/** How long to wait until the guard answers; 0: forever. */
	wait: boolean;
	timeoutMs: number;
	forceConflicts: boolean;
	/** Sets the label for evictions that fail closed on the namespaces that contain only runners; else they are only named. */
	failClosed: boolean;
}

/** A kind that was just defined is normally served within a second. */
const establishedWithinMs = 30_000;

/** Applies the selected objects, removes what an earlier installation had besides, and waits for the guard. */
export async function runInstall(options: InstallOptions): Promise<number> {
	const api = new Objects(await connect(options.connection), options.dryRun);
	const objects = inOrder(await whereServed(api, chosenObjects(overlays, options)));
	if (options.dryRun === 'client') return dryRunClient(api, objects, options);

	await refuseWhereInstalled(api, options.namespace);
	if (options.mode === 'default') await planAndRefuse(api);
	const existing = await findOurs(api, overlays, options.namespace);
	const steps = await readSteps(api, objects);
	const left = steps.filter(isTheirNamespace);
	const ours = steps.filter((step) => !left.includes(step));
	const checked = await checkSteps(api, ours, options.forceConflicts);
	if (!options.forceConflicts) refuseConflicts(checked);
	for (const { object } of left) say(options, `${nameOf(object)} existed before: left unchanged`);
	const everything = inNamespace(Object.values(overlays).flat(), options.namespace);
	const gone = obsolete(existing, objects, everything);
	if (options.dryRun === 'server') {
		await dryRunServer(api, checked, gone, options.format);
		await offer(api, options);
		return exitCode.done;
	}

	await apply(api, checked, options);
	for (const object of gone) {
		if (await api.remove(object)) say(options, `${nameOf(object)} removed`);
	}
	if (options.mode === 'guard-only') await releaseSets(api, (line) => say(options, line));
	if (options.format) print(formatObjects(objects, options.format, false));
	// Before the guard answers, the label would only hold evictions up.
	const code = options.wait ? await waitForGuard(api, objects, options) : exitCode.done;
	if (code === exitCode.done) await offer(api, options);
	return code;
}

function offer(api: Objects, options: InstallOptions): Promise<void> {
	const output = { say: (line: string) => say(options, line), warn: printError };
	return offerFailClosed(api, { serverNamespace: options.namespace, set: options.failClosed }, output);
}

/** A namespace that the user created is left unchanged: our Pod Security labels could block other pods in it. */
function isTheirNamespace({ object, before }: Step): boolean {
	return object.kind === 'Namespace' && before !== undefined && !isOurNamespace(before);
}

async function apply(api: Objects, steps: readonly Checked[], options: InstallOptions): Promise<void> {
	const byObject = new Map(steps.map((step) => [step.object, step]));
	const applyAll = async (phase: readonly Manifest[]) => {
		for (const object of phase) {
			const step = byObject.get(object);
			if (!step) continue;
			const outcome = await applyStep(api, step, options.forceConflicts);
			say(options, `${nameOf(object)} ${outcome}`);
		}
	};
	const phases = inPhases(steps.map(({ object }) => object));
	await applyAll(phases.namespaces);
	await applyAll(phases.crds);
	await untilEstablished(api, phases.crds, establishedWithinMs);
	await applyAll(phases.others);
	await applyAll(phases.webhooks);
}

/** The plan is printed to stderr, so that `kubectl apply -f -` can read stdout. */
async function planAndRefuse(api: Objects): Promise<void> {
	const deployments = await listDeployments(api.client);
	const [plan, autoscalers, found] = await Promise.all([
		findTakeovers(api.client),
		findAutoscalers(api.client),
		findObstacles(api.client, deployments),
	]);
	const lines = [
		...planLines(plan, Date.now()),
		...autoscalerLines(autoscalers),
		...webhookServerLines(deployments, autoscalers),
	];
	for (const line of lines) printError(line);
	if (found.length > 0) throw new CliError(refusal(found));
}

/** Throws if there is an installation in another namespace: a second one would take over its webhook configurations. */
async function refuseWhereInstalled(api: Objects, namespace: string): Promise<void> {
	const other = await installedIn(api);
	if (other === undefined || other === namespace) return;
	throw new CliError(
		`error: ${names.server} is already installed in namespace ${other}, and a cluster can have only one guard\n` +
			`To upgrade it: -n ${other}; to move it: kubectl runners uninstall -n ${other} first`,
	);
}

/** Shows what would be applied. Only the plan needs the cluster; without it, the plan is left out. */
async function dryRunClient(
	api: Objects,
	objects: readonly Manifest[],
	{ mode, format }: InstallOptions,
): Promise<number> {
	try {
		if (mode === 'default') await planAndRefuse(api);
	} catch (error) {
		const known = error instanceof UnreachableError || error instanceof ApiError || isCliError(error);
		if (!known) throw error;
		printError(`Warning: ${error.message.replace(/^error: /, '')}`);
	}
	if (format) print(formatObjects(objects, format, false));
	else for (const object of objects) print(`${nameOf(object)} applied (dry run)\n`);
	return exitCode.done;
}

/** Shows each object as the API server would store it; one that it could not check is shown as it would be sent. */
async function dryRunServer(
	api: Objects,
	checked: readonly Checked[],
	gone: readonly Manifest[],
	format: DataFormat | undefined,
): Promise<void> {
	for (const object of gone) await api.remove(object);
	if (format) {
		print(
			formatObjects(
				checked.map(({ object, after }) => after ?? object),
				format,
				false,
			),
		);
		return;
	}
	for (const { object, before, after } of checked) {
		print(`${nameOf(object)} ${after ? outcomeOf(before, after) : 'created'} (server dry run)\n`);
	}
	for (const object of gone) print(`${nameOf(object)} removed (server dry run)\n`);
}

async function waitForGuard(
	api: Objects,
	objects: readonly Manifest[],
	options: InstallOptions,
): Promise<number> {
	const { namespace, githubSecret, external, timeoutMs } = options;
	if (external && !(await guardAnswers(api.client))) for (const line of toStart(options)) say(options, line);
	return untilGuarded(api, objects, {
		timeoutMs,
		screen: options.format ? stderr : stdout,
		hint: () => credentialsHint(api.client, namespace, githubSecret),
	});
}

/** The command that starts the server outside of the cluster, and the credentials that it needs. */
function toStart({ external, namespace, githubSecret, mode }: InstallOptions): string[] {
	const flags = [
		'--kubeconfig FILE',
		`--port ${external?.port}`,
		namespace === names.namespace ? '' : `--namespace ${namespace}`,
		githubSecret === names.credentialsSecret ? '' : `--github-secret ${githubSecret}`,
		mode === 'guard-only' ? `--controllers ${guardControllers}` : '',
	].filter(Boolean);
	return [
		`Start the server at ${external?.host}:${external?.port}: ${names.server} ${flags.join(' ')}`,
		`FILE is a kubeconfig with a token of its service account: kubectl create token ${names.server} -n ${namespace}`,
	];
}

/** With -o, only the objects are printed to stdout. */
function say({ format }: InstallOptions, line: string): void {
	if (format) printError(line);
	else print(`${line}\n`);
}
