import { arc, busy, identityProof, progress, record } from '../../../admission/api/keys.ts';
import type { Container, EnvVar, Pod } from '../../../admission/api/kinds.ts';
import { longestCommand } from '../../../admission/runner/identity/command.ts';

/** etcd keeps objects of up to 1.5 MiB; this is what a pod of somebody's has room for, bytes. */
export const mostRoom = 1.4 * 1024 * 1024;
/** The API server takes this many bytes of annotations. */
const mostAnnotations = 255 * 1024;
/** As long as a signature of ours, so that it is worth a check. */
const forged = 'A'.repeat(43);

const value = (name: string, text: string): EnvVar => ({ name, value: text });
const letters = (length: number) => 'x'.repeat(length);
/** As many of them as fit. */
function fill<T>(bytes: number, make: (index: number) => T): T[] {
	const all: T[] = [];
	for (let left = bytes; left > 0; left -= JSON.stringify(all.at(-1)).length + 1) all.push(make(all.length));
	return all;
}
const named = (bytes: number, text = '') => Object.fromEntries(fill(bytes, (index) => [`k${index}`, text]));

/** The variables of a runner that is certain, but for what comes before or after them. */
const plain = [
	value('RUNNER_ORG', 'octo-org'),
	value('RUNNER_REPO', ''),
	value('RUNNER_ENTERPRISE', ''),
	value('GITHUB_URL', 'https://github.com/'),
	value('RUNNER_EPHEMERAL', 'true'),
];

/** A chain: each variable refers to the one before it so often, and the runner's name to the last. */
function chain(length: number, reference: (previous: string) => string): EnvVar[] {
	const links = Array.from({ length }, (_, at) => value(`V${at + 1}`, reference(`V${at}`)));
	return [value('V0', ''), ...links, ...plain, value('RUNNER_NAME', `$(V${length})`)];
}

interface Parts {
	metadata?: Partial<Pod['metadata']>;
	/** Of the runner's container. */
	container?: Partial<Container> & { volumeMounts?: object[] };
	spec?: Pod['spec'] & { volumes?: object[] };
	status?: Pod['status'];
	/** In front of the runner's container. */
	containers?: Container[];
}

function pod({ metadata, container, spec, status, containers = [] }: Parts): Pod {
	const runner = { name: 'runner', image: 'i', env: [...plain, value('RUNNER_NAME', 'r1')], ...container };
	return {
		metadata: { name: 'r1', namespace: 'ci', uid: 'uid-1', labels: { 'actions-runner': '' }, ...metadata },
		spec: { nodeName: 'node-1', containers: [...containers, runner], ...spec },
		status: {
			phase: 'Running',
			containerStatuses: [{ name: 'runner', restartCount: 0, state: { running: {} } }],
			...status,
		},
	};
}

const annotated = (key: string, text: string): Pod => pod({ metadata: { annotations: { [key]: text } } });

/** Pods that anybody who may create or edit one can have the API server keep, of about this many bytes. */
export function worstPods(room: number): Record<string, Pod> {
	const annotationRoom = Math.min(room, mostAnnotations);
	const links = Math.floor(room / 1_100);
	return {
		'variables: 600 of $(A) x 256, 10,000 envFrom': pod({
			container: {
				env: [
					...Array.from({ length: Math.min(600, links) }, (_, at) => value(`V${at}`, '$(A)'.repeat(256))),
					...plain,
					value('RUNNER_NAME', '$(V0)$(V9)'),
				],
				envFrom: Array.from({ length: Math.min(10_000, Math.floor(room / 200)) }, () => ({
					prefix: 'P',
					secretRef: { name: 's' },
				})),
			},
		}),
		'variables: a chain of references to nothing': pod({
			container: { env: chain(links, (previous) => `$(${previous})`.repeat(140)) },
		}),
		'variables: references without an end': pod({
			container: { env: chain(links, (previous) => `$(${previous})${'$('.repeat(500)}`) },
		}),
		'variables: names like those of Services': pod({
			container: { env: chain(links, (previous) => `$(${previous})$(${'_PORT'.repeat(195)}-)`) },
		}),
		'variables: a name again and again': pod({
			container: { env: [...fill(room, () => value('RUNNER_NAME', '$(RUNNER_NAME)')), ...plain] },
		}),
		'variables: many': pod({
			container: { env: [...fill(room, (at) => ({ name: `v${at}` })), ...plain, value('RUNNER_NAME', 'r1')] },
		}),
		'variables: many sources': pod({
			container: { env: plain, envFrom: fill(room, (at) => ({ prefix: `P${at}`, secretRef: {} })) },
		}),
		'variables: slashes': pod({
			container: {
				env: [
					...plain,
					value('GITHUB_URL', `https://h${'/'.repeat(990)}x`),
					value('RUNNER_ORG', `${'/'.repeat(1_000)}x`),
					value('RUNNER_NAME', 'r1'),
				],
			},
		}),
		'variables: long ones': pod({
			container: {
				env: [...plain, value('RUNNER_NAME', letters(room / 2)), value('GITHUB_URL', letters(room / 2))],
			},
		}),
		'a command of many parts': pod({ container: { command: fill(room, () => 'a') } }),
		'a command as long as is searched': pod({
			container: { args: ['$RUNNER_NAM'.repeat(Math.floor(Math.min(room, longestCommand) / 11))] },
		}),
		containers: pod({ containers: fill(room, (at) => ({ name: `c${at}`, image: 'i' })) }),
		'containers with policies': pod({
			containers: fill(room, (at) => ({
				name: `c${at}`,
				image: 'i',
				resizePolicy: [{ resourceName: 'cpu', restartPolicy: 'RestartContainer' }],
			})),
		}),
		policies: pod({
			container: {
				resizePolicy: fill(room, () => ({ resourceName: 'cpu', restartPolicy: 'RestartContainer' })),
			},
		}),
		'states of containers': pod({
			status: { containerStatuses: fill(room, (at) => ({ name: `c${at}`, state: { running: {} } })) },
		}),
		conditions: pod({
			status: { conditions: fill(room, () => ({ type: 'actions-runner/x', status: 'True' })) },
		}),
		volumes: pod({ spec: { volumes: fill(room, (at) => ({ name: `v${at}`, emptyDir: {} })) } }),
		'a volume like that of the job hooks': pod({
			spec: {
				volumes: [
					{
						name: 'runners-admission-job-hooks',
						projected: { defaultMode: 292, sources: fill(room, (at) => ({ secret: { name: `s${at}` } })) },
					},
				],
			},
		}),
		mounts: pod({ container: { volumeMounts: fill(room, (at) => ({ name: `m${at}`, mountPath: '/a/' })) } }),
		'a mount at many slashes': pod({
			container: {
				volumeMounts: [{ name: 'm', mountPath: `${'/'.repeat(room - 1_000)}x` }],
			},
		}),
		labels: pod({ metadata: { labels: { 'actions-runner': '', ...named(room) } } }),
		owners: pod({
			metadata: {
				ownerReferences: fill(room, (at) => ({ apiVersion: 'v1', kind: 'Pod', name: 'p', uid: `u${at}` })),
			},
		}),
		finalizers: pod({ metadata: { finalizers: fill(room, (at) => `a/f${at}`) } }),
		annotations: pod({ metadata: { annotations: named(annotationRoom) } }),
		'annotation: a job': annotated(busy.job, '\u202e'.repeat(annotationRoom / 3)),
		'annotation: a time': annotated(busy.since, '('.repeat(annotationRoom)),
		'annotation: a time of digits': annotated(busy.since, '1'.repeat(annotationRoom)),
		'annotation: spaces': annotated(progress.absentSince, ' '.repeat(annotationRoom)),
		'annotation: job signals': annotated(
			busy.signals,
			`${forged} [${'{},'.repeat(annotationRoom / 3 - 30)}{}]`,
		),
		'annotation: job signals, quoted': annotated(busy.signals, `${forged} ${'"'.repeat(annotationRoom / 2)}`),
		'annotation: job signals without an end': annotated(busy.signals, `${letters(annotationRoom - 1)}\t`),
		'annotation: a scope': annotated(identityProof, '['.repeat(annotationRoom)),
		'annotation: a scope of many parts': annotated(
			identityProof,
			JSON.stringify({ ...named(annotationRoom / 2), scope: '', host: '', signature: forged }),
		),
		'annotation: a record': pod({
			metadata: {
				annotations: {
					[record.requestedBy]: 'a',
					[record.options]: '"'.repeat(annotationRoom - 500),
					[record.proof]: forged,
				},
			},
		}),
		'annotation: a Secret': annotated(arc.credentialsSecret, letters(annotationRoom)),
	};
}
