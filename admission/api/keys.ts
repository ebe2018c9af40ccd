/**
 * Labels, annotations and conditions on runner pods: the contract between the server, the plugin, the manifests
 * and actions-runner-controller (ARC).
 *
 * ARC's own `actions-runner/...` keys are used where the meaning is the same, so that a cluster that ran ARC just
 * works; the others are new under the same prefix. All times are RFC 3339.
 */

/** Annotations that record a denied deletion. All three are written in one patch, once, and removed by a cancel. */
export const record = {
	/** When the deletion was first asked for. ARC's key: "scale-down asked". A record is ours only with `requestedBy`. */
	requestedAt: 'actions-runner/unregistration-request-timestamp',
	/** User name of the AdmissionReview (or of the plugin's caller) that asked first. */
	requestedBy: 'actions-runner/deletion-requested-by',
	/** JSON of a RecordedOptions (see kinds.ts): what the caller asked, replayed when the deletion is completed. */
	options: 'actions-runner/deletion-options',
} as const;

/** Annotations that tell how far the unregistration has come. */
export const progress = {
	/** GitHub's id of the runner, a decimal number. ARC's key. */
	runnerId: 'actions-runner/id',
	/** Who is asking GitHub right now, as `<RFC 3339> <replica>`: two replicas never ask at once. */
	claim: 'actions-runner/unregistration-claim',
	/** GitHub's words when it answered 422 (the runner runs a job). ARC's key. */
	failureMessage: 'actions-runner/unregistration-failure-message',
	/** Set with a 422 on an ephemeral runner: from here on nobody calls GitHub, the container's end is awaited. ARC's key. */
	completionWait: 'actions-runner/runner-completion-wait-start-timestamp',
	/** GitHub has unregistered the runner. ARC's key; anybody can write it, so it needs `proof` or GitHub's word. */
	completedAt: 'actions-runner/unregistration-complete-timestamp',
	/** HMAC over pod UID, restart count and completedAt: this server saw GitHub's 204 or its confirmed 404. */
	proof: 'actions-runner/unregistration-proof',
	/** The pod's Node object was first found missing at this time. */
	nodeGoneSince: 'actions-runner/node-gone-since',
} as const;

/** What the leader keeps on a pod so that nobody needs GitHub credentials to see whether it is busy. */
export const busy = {
	/** Label, value "true" while a job runs: what the back-stop PodDisruptionBudget selects. */
	label: 'actions-runner/busy',
	/** Annotation: when the job was first seen. */
	since: 'actions-runner/busy-since',
	/** Annotation: the job, where known, for people: "build (octo-org/app, run 42)". */
	job: 'actions-runner/job',
	/** Annotation: which of the autoscaler marks below we added (comma separated), so that only ours are removed. */
	marks: 'actions-runner/busy-marks',
	/** Pod condition, status True while a job runs: `kubectl wait --for=condition=actions-runner/Busy=false`. */
	condition: 'actions-runner/Busy',
} as const;

/** Annotations that keep autoscalers away from a busy runner's node. */
export const autoscalerMarks = {
	'karpenter.sh/do-not-disrupt': 'true',
	'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false',
} as const;

/** Annotation, its value the reason: the pod may be deleted whatever it runs. Set before the deletion. */
export const breakGlass = 'actions-runner/break-glass';

/** Pod condition, True while a recorded deletion waits; its reason is the verdict's reason in CamelCase. */
export const deletionPendingCondition = 'actions-runner/DeletionPending';

/** How ARC marks its runner pods; see the project's research on ARC's pod layout (recognition recipe). */
export const arc = {
	runner: 'actions-runner',
	runnerSet: 'runnerset-name',
	runnerDeployment: 'runner-deployment-name',
	/** Scale sets: value "True". */
	ephemeralRunner: 'actions-ephemeral-runner',
	scaleSetName: 'actions.github.com/scale-set-name',
	organization: 'actions.github.com/organization',
	repository: 'actions.github.com/repository',
	enterprise: 'actions.github.com/enterprise',
	/** Annotation: name of the Secret, in the pod's namespace, with this set's GitHub credentials. */
	credentialsSecret: 'actions-runner/github-api-creds-secret',
} as const;

/** Names in the cluster. */
export const names = {
	namespace: 'runners-system',
	server: 'runners-admission',
	credentialsSecret: 'runners-github',
	certificateSecret: 'runners-admission-tls',
	proofSecret: 'runners-admission-proof',
	lease: 'runners-admission',
	/** ConfigMap with what the leader tells about itself; see report.ts. */
	status: 'runners-admission-status',
	backstop: 'runners-admission-busy',
	fieldManager: 'runners-admission',
} as const;

/** The webhook that reviews the deletion of runner pods: the one that has to fail closed. */
export const guardWebhook = 'pods.runners-admission.svc';

/** Label on every object of an installation, by which an upgrade and an uninstall find what is theirs. */
export const partOf = { key: 'app.kubernetes.io/part-of', value: 'kubectl-runners' } as const;

/**
 * A dry-run eviction of a pod of this name, which does not exist, is answered with this warning: proof that the API
 * server reaches the guard and trusts its certificate, without any runner.
 */
export const probe = { pod: 'runners-admission-probe', answer: 'runners-admission answers' } as const;
