import { arc } from '../../api/keys.ts';
import type { Container, EphemeralRunner, OwnerReference, Pod } from '../../api/kinds.ts';
import { sameName } from '../github-name.ts';
import { hostOf, type Scope, scopeFromPath, scopeFromUrl, scopeKey } from '../scope.ts';
import { commandSetting } from './command.ts';
import { environmentOf, onlyVariables, type Value } from './environment.ts';
import type { Pin } from './pin.ts';

/**
 * Which runner at GitHub a pod is. Unless it is certain, `scope` is undefined: a name or a place that
 * is only likely would make a busy runner look as if it were not registered.
 */
export type Identity = {
	kind: 'legacy' | 'scale-set';
	runnerName: string;
	ephemeral: boolean;
	/** Name of the Secret with its GitHub credentials, in the pod's namespace; undefined: the server's own credentials. */
	credentialsSecret: string | undefined;
} & ({ scope: Scope; host: string } | { scope?: undefined; host?: string | undefined; uncertain: string });

/** What is known beside the pod itself. */
export interface IdentityFacts {
	/** The EphemeralRunner that has the name of a scale-set pod. */
	ephemeralRunner?: EphemeralRunner | undefined;
	/** The pin on the pod, if it bears this server's signature. */
	pin?: Pin | undefined;
	/** Host of the GitHub that this server talks to; undefined: any will do, since nobody asks GitHub. */
	host?: string | undefined;
}

const jitConfig = 'ACTIONS_RUNNER_INPUT_JITCONFIG';
const scopeVariables = ['RUNNER_ORG', 'RUNNER_REPO', 'RUNNER_ENTERPRISE'];

/** Variables that make a container named `runner` a GitHub Actions runner: a scope, or a ready-made registration. */
export const runnerVariables: readonly string[] = [...scopeVariables, jitConfig];

const decidingVariables = [...runnerVariables, 'RUNNER_NAME', 'RUNNER_EPHEMERAL', 'GITHUB_URL'];

const settingIdentity = commandSetting(['RUNNER_NAME', ...decidingVariables]);
const settingRegistration = commandSetting([jitConfig]);

/** The runner's container with only those variables that `identify` reads, RUNNER_TOKEN, and those that its command may set. */
export function trimContainer(container: Container): Container {
	const set = [settingIdentity(container), settingRegistration(container)].filter(
		(name) => name !== undefined,
	);
	const kept = onlyVariables(container, decidingVariables, 'RUNNER_TOKEN');
	return set.length === 0 ? kept : { ...kept, command: set };
}

/**
 * What anybody can see without reading a variable: enough to say that the pod may be a busy runner, and for nothing else. A
 * registration that may be empty counts as one, since more edits of a scale set's pod are refused.
 */
export function unreadIdentity(pod: Pod, { env }: Container): Identity {
	const isScaleSet = env?.some(({ name }) => name === jitConfig) || isMarkedScaleSet(pod);
	return {
		kind: isScaleSet ? 'scale-set' : 'legacy',
		runnerName: pod.metadata.name,
		ephemeral: true,
		credentialsSecret: undefined,
		uncertain: 'its variables were not read',
	};
}

/** Which runner the pod is, by the rules of the image that runs in it. */
export function identify(pod: Pod, container: Container, facts: IdentityFacts): Identity {
	const env = environmentOf(container, pod, decidingVariables);
	const identity =
		kindOf(pod, container, env) === 'scale-set'
			? scaleSetIdentity(pod, container, facts)
			: legacyIdentity(pod, container, env);
	if (identity.scope && facts.host !== undefined && identity.host !== facts.host) {
		const { scope: _, ...rest } = identity;
		return { ...rest, uncertain: `it belongs to another GitHub: ${identity.host}` };
	}
	return identity;
}

/**
 * A ready-made registration wins over all else: with it, ARC's image does not register the runner itself
 * (actions-runner-controller runner/startup.sh). Labels and owners can be edited: they count only where the container's
 * own variables tell nothing. Such a registration is one runner's, so beside a plain scope none is expected in an `envFrom`.
 */
function kindOf(pod: Pod, container: Container, env: Environment): Identity['kind'] {
	const given = (name: string) =>
		container.env?.some((variable) => variable.name === name) === true && !isEmpty(env(name));
	if (given(jitConfig)) return 'scale-set';
	if (scopeVariables.some(given)) return 'legacy';
	return isMarkedScaleSet(pod) ? 'scale-set' : 'legacy';
}

const isMarkedScaleSet = (pod: Pod): boolean =>
	pod.metadata.labels?.[arc.ephemeralRunner] === 'True' || ownerOf(pod) !== undefined;

/**
 * A runner that the image registers itself. Which variable decides is said by ARC's image (actions-runner-controller
 * runner/startup.sh): RUNNER_ORG with RUNNER_REPO if all three are set, else the first of RUNNER_ORG, RUNNER_REPO and
 * RUNNER_ENTERPRISE that is; it is appended to GITHUB_URL. An empty variable is as good as none.
 *
 * The Secret with the credentials stands in an annotation that can be edited. That is no danger: with the scope fixed,
 * GitHub answers another credential with 403 or 404, which denies.
 */
function legacyIdentity(pod: Pod, container: Container, env: Environment): Identity {
	const [name, ephemeral] = [env('RUNNER_NAME'), env('RUNNER_EPHEMERAL')];
	const rest = {
		kind: 'legacy',
		runnerName: textOf(name) || pod.metadata.name,
		// The image compares with `true`. With RUNNER_FEATURE_FLAG_ONCE it registers a static runner that ends after one job
		// all the same, so that for us it is an ephemeral one.
		ephemeral: textOf(ephemeral) === 'true',
		credentialsSecret: pod.metadata.annotations?.[arc.credentialsSecret] || undefined,
	} as const;
	const uncertain = (why: string): Identity => ({ ...rest, uncertain: why });
	const set = settingIdentity(container);
	if (set !== undefined) return uncertain(`its command may set ${set}`);
	const attach = attachedTo(env);
	if (attach && 'unknown' in attach) return uncertain(attach.unknown);
	if (!attach) return uncertain('no plain RUNNER_REPO, RUNNER_ORG or RUNNER_ENTERPRISE in its container');
	const url = env('GITHUB_URL');
	for (const value of [url, name, ephemeral])
		if (value && 'unknown' in value) return uncertain(value.unknown);
	if (!textOf(name)) return uncertain('no RUNNER_NAME in its container');
	const base = textOf(url) || 'https://github.com/';
	const found = scopeFromUrl(`${base.replace(/\/$/, '')}/${attach.text}`);
	if (!found) {
		const what =
			hostOf(base) === undefined ? 'GITHUB_URL is not a web address' : 'its scope is not a valid name';
		return uncertain(what);
	}
	return { ...rest, ...found };
}

/** What the image appends to GITHUB_URL; undefined: nothing, and then it does not start. */
function attachedTo(env: Environment): Value {
	const [organization, repository, enterprise] = scopeVariables.map(env);
	if (isEmpty(organization)) {
		if (!isEmpty(repository)) return repository;
		if (isEmpty(enterprise)) return undefined;
		return enterprise && 'text' in enterprise ? { text: `enterprises/${enterprise.text}` } : enterprise;
	}
	if (isEmpty(repository) || isEmpty(enterprise)) return organization;
	const unknown = [organization, repository, enterprise].find((value) => value && 'unknown' in value);
	return unknown ?? { text: `${textOf(organization)}/${textOf(repository)}` };
}

/** Where the image would register a runner, whichever name it has and whichever GitHub is meant; undefined if that is not certain. */
export function scopeInEnvironment(container: Container, pod: Pod): Scope | undefined {
	const attach = attachedTo(environmentOf(container, pod, decidingVariables));
	return attach && 'text' in attach ? scopeFromPath(attach.text) : undefined;
}

/**
 * A scale set's runner. What cannot be edited on its pod is the name, which ARC gives to the EphemeralRunner, its Secret
 * with the registration, the pod and the runner at GitHub alike (actions-runner-controller
 * controllers/actions.github.com/resourcebuilder.go, newEphemeralRunnerPod). So the EphemeralRunner of that name says where
 * it is registered, and with which credentials. Where that is gone, the pin says it, and labels never do.
 */
function scaleSetIdentity(
	pod: Pod,
	container: Container,
	{ ephemeralRunner: er, pin }: IdentityFacts,
): Identity {
	const { name } = pod.metadata;
	const rest = {
		kind: 'scale-set',
		runnerName: name,
		ephemeral: true,
		credentialsSecret: (er ? er.spec?.githubConfigSecret : pin?.credentialsSecret) || undefined,
	} as const;
	const uncertain = (why: string): Identity => ({ ...rest, uncertain: why });
	const secret = container.env?.findLast((variable) => variable.name === jitConfig)?.valueFrom?.secretKeyRef;
	if (secret?.name !== name) return uncertain('its JIT configuration is not its own');
	const set = settingRegistration(container);
	if (set !== undefined) return uncertain(`its command may set ${set}`);
	const owner = ownerOf(pod);
	if (owner && (owner.name !== name || (er && owner.uid !== er.metadata.uid)))
		return uncertain('its owner is not the EphemeralRunner of its name');
	if (!er) {
		const scope = pin && scopeFromPath(pin.scope);
		if (!pin || !scope) return uncertain('no EphemeralRunner, and no signed scope');
		return { ...rest, scope, host: pin.host };
	}
	if (er.status?.runnerName && er.status.runnerName !== name)
		return uncertain('its EphemeralRunner names another runner');
	const found = scopeFromUrl(er.spec?.githubConfigUrl ?? '');
	if (!found) return uncertain("its EphemeralRunner's githubConfigUrl names no scope");
	if (pin && (!sameName(pin.scope, scopeKey(found.scope)) || pin.host !== found.host))
		return uncertain(`its scope has changed since it was first seen: it was ${pin.scope}`);
	return { ...rest, ...found };
}

/** Name of the EphemeralRunner that a scale set's pod belongs to; undefined for any other pod. */
export function ephemeralRunnerName(pod: Pod, container: Container): string | undefined {
	return kindOf(pod, container, environmentOf(container, pod, decidingVariables)) === 'scale-set'
		? pod.metadata.name
		: undefined;
}

/** The EphemeralRunner that an owner reference names, which anybody who may edit the pod may have written. */
export const ownerOf = (pod: Pod): OwnerReference | undefined =>
	pod.metadata.ownerReferences?.find((owner) => owner.kind === 'EphemeralRunner');

type Environment = (name: string) => Value;

/** Certainly empty or not set, which is the same to the image. */
const isEmpty = (value: Value): boolean => value === undefined || ('text' in value && value.text === '');

const textOf = (value: Value): string => (value && 'text' in value ? value.text : '');
