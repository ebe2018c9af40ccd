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
	/** Name of the user who asked first, from the AdmissionReview (or the plugin's caller). */
	requestedBy: 'actions-runner/deletion-requested-by',
	/** JSON of a RecordedOptions (see kinds.ts): the caller's options, used again when the deletion is carried out. */
	options: 'actions-runner/deletion-options',
} as const;

/** Annotations that show how far the unregistration at GitHub has come. */
export const progress = {
	/** GitHub's id of the runner, a decimal number. ARC's key. */
	runnerId: 'actions-runner/id',
	/** The replica that asks GitHub right now, as `<RFC 3339> <replica>`: two replicas never ask at once. */
	claim: 'actions-runner/unregistration-claim',
	/** GitHub's message when it answered 422 (the runner runs a job). ARC's key. */
	failureMessage: 'actions-runner/unregistration-failure-message',
	/** When GitHub answered 422 for an ephemeral runner: from then on GitHub is not asked, and its container's end is awaited. ARC's key. */
	completionWait: 'actions-runner/runner-completion-wait-start-timestamp',
	/** When GitHub unregistered the runner. ARC's key. Anybody can write it, so it needs `proof` or GitHub's confirmation. */
	completedAt: 'actions-runner/unregistration-complete-timestamp',
	/** HMAC over pod UID, restart count and completedAt, which shows that this server saw GitHub's 204 or its confirmed 404. */
	proof: 'actions-runner/unregistration-proof',
	/** When the pod's Node object was first found missing. */
	nodeGoneSince: 'actions-runner/node-gone-since',
} as const;

/** What the leader writes on a pod so that one can see without GitHub credentials whether it is busy. */
export const busy = {
	/** Label, value "true" while a job runs. The back-stop PodDisruptionBudget selects it. */
	label: 'actions-runner/busy',
	/** Annotation: when the job was first seen. */
	since: 'actions-runner/busy-since',
	/** Annotation: the job, where known, for people: "build (octo-org/app, run 42)". */
	job: 'actions-runner/job',
	/** Annotation: which of the autoscaler marks below the leader added (comma separated), so that only those are removed. */
	marks: 'actions-runner/busy-marks',
	/** Pod condition, status True while a job runs: `kubectl wait --for=condition=actions-runner/Busy=false`. */
	condition: 'actions-runner/Busy',
} as const;

/** Annotations that keep autoscalers away from a busy runner's node. */
export const autoscalerMarks = {
	'karpenter.sh/do-not-disrupt': 'true',
	'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false',
} as const;

/** Annotation whose value is the reason: the pod may be deleted whatever it runs. It must be set before the deletion. */
export const breakGlass = 'actions-runner/break-glass';

/** Pod condition, True while a recorded deletion waits; its reason is the verdict's reason in CamelCase. */
export const deletionPendingCondition = 'actions-runner/DeletionPending';

/** Labels and annotations that ARC sets on its runner pods. */
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
	/** ConfigMap with the leader's report on the server's state; see report.ts. */
	status: 'runners-admission-status',
	backstop: 'runners-admission-busy',
	fieldManager: 'runners-admission',
} as const;

/** Annotations on the status ConfigMap by which the server's replicas know of each other; their names follow. */
export const replicaPrefix = 'actions-runner/replica-';

/** The webhook that reviews deletions of runner pods. It must have failurePolicy Fail. */
export const guardWebhook = 'pods.runners-admission.svc';

/** Label of a namespace that holds runners only: with this value none of its pods is evicted while no replica answers. */
export const evictions = { label: 'actions-runner/evictions', failClosed: 'fail-closed' } as const;

/** Label on every object of an installation, by which an upgrade and an uninstall find the installation's objects. */
export const partOf = { key: 'app.kubernetes.io/part-of', value: 'kubectl-runners' } as const;

/**
 * A dry-run eviction of a pod of this name, which does not exist, is answered with this warning: proof that the API
 * server reaches the guard and trusts its certificate, without any runner.
 */
export const probe = { pod: 'runners-admission-probe', answer: 'runners-admission answers' } as const;
