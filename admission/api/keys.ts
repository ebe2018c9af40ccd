/**
 * Labels, annotations and conditions on runner pods: the contract between the server, the plugin, the manifests
 * and actions-runner-controller (ARC).
 *
 * What this server remembers on a pod stands under keys of its own, with ARC's prefix `actions-runner/`. ARC runs beside
 * it in many clusters and reacts to its own annotations by asking GitHub again: this server reads them, and neither changes
 * nor removes one. The only one that it writes ends ARC's questions: `arc.completedAt`, with GitHub's 204. All times are
 * RFC 3339.
 */

/** Annotations that record a denied deletion. All are written in one patch, once, and removed by a cancel. */
export const record = {
	/** When the deletion was first asked for. */
	requestedAt: 'actions-runner/deletion-requested-at',
	/** Name of the user who asked first, as the AdmissionReview said. */
	requestedBy: 'actions-runner/deletion-requested-by',
	/** JSON of a RecordedOptions (see kinds.ts): the caller's options, used again when the deletion is carried out. */
	options: 'actions-runner/deletion-options',
	/** Signature of this server over the three: whoever may edit a pod cannot have it deleted in somebody's name. */
	proof: 'actions-runner/deletion-proof',
} as const;

/** Annotations that show how far the unregistration at GitHub has come. */
export const progress = {
	/** GitHub's id of the runner, a decimal number. */
	runnerId: 'actions-runner/runner-id',
	/** Whose id that is: `<scope> <runner name>`. */
	registeredAs: 'actions-runner/registered-as',
	/** Signature over both: GitHub's list has shown this id under that name, during this run of the container. */
	registered: 'actions-runner/registration-proof',
	/** The replica that asks GitHub right now, as `<RFC 3339> <replica>`: two replicas never ask at once. */
	attempt: 'actions-runner/unregistration-claim',
	/** When GitHub last answered 422 (the runner runs a job), and its message: `<RFC 3339> <message>`. */
	refusal: 'actions-runner/unregistration-refusal',
	/** When GitHub answered 204: it has unregistered the runner. Anybody can write it, so it counts only with `proof`. */
	completedAt: 'actions-runner/unregistered-at',
	/** Signature over pod UID, restart count, scope, runner name, runner id and completedAt: this server saw GitHub's 204. */
	proof: 'actions-runner/unregistration-proof',
	/** Since when GitHub's lists lack the runner, and a signature over it: `<RFC 3339> <signature>`. */
	absentSince: 'actions-runner/absent-since',
	/**
	 * Since when GitHub's lists show the runner as idle, and a signature over it: `<RFC 3339> <signature>`. Noted only where
	 * its log cannot be read.
	 */
	idleSince: 'actions-runner/idle-since',
	/** When the pod's Node object was first found missing, and a signature over it: `<RFC 3339> <signature>`. */
	nodeGoneSince: 'actions-runner/node-gone-since',
} as const;

/** What the leader writes on a pod so that one can see without GitHub credentials whether it is busy. */
export const busy = {
	/**
	 * Label, "true" while a job runs, "unknown" until the runner has been seen idle and while what is known of it is old.
	 * The back-stop PodDisruptionBudgets select both.
	 */
	label: 'actions-runner/busy',
	/** Annotation: when the job was first seen. */
	since: 'actions-runner/busy-since',
	/** Annotation: the job, where known, for people: "build (octo-org/app, run 42)". */
	job: 'actions-runner/job',
	/** Annotation: the job signals of its sources (log, job hooks, events), signed; see runner/job-signals.ts. */
	signals: 'actions-runner/job-claims',
	/** Annotation: which of the autoscaler marks below the leader added (comma separated), so that only those are removed. */
	marks: 'actions-runner/busy-marks',
	/** Pod condition, status True while a job runs: `kubectl wait --for=condition=actions-runner/Busy=false`. */
	condition: 'actions-runner/Busy',
} as const;

/** Annotations about the job hooks of a pod; see jobs/hooks. */
export const jobHooks = {
	/**
	 * Written by people, on a template: "off": no job hooks; "variables": the runner's hook variables are set as well, which
	 * takes the place of hooks that its image has.
	 */
	wanted: 'actions-runner/job-hooks',
	/** The script, which is a file in the pod. */
	script: 'actions-runner/job-hook',
	/** The CAs that the script trusts, PEM: a file in the pod that follows this annotation. */
	authorities: 'actions-runner/job-hook-ca',
	/** The template's own hooks, which the script runs: JSON, by its words. */
	before: 'actions-runner/job-hook-before',
	/** Why the pod has no job hooks, for people. */
	absent: 'actions-runner/job-hook-absent',
} as const;

/**
 * Annotation on a scale set's pod: where its runner is registered, signed by the server when it first saw it running; see
 * runner/identity/pin.ts.
 */
export const identityProof = 'actions-runner/identity-proof';

/** Annotations that keep autoscalers away from a busy runner's node. */
export const autoscalerMarks = {
	'karpenter.sh/do-not-disrupt': 'true',
	'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false',
} as const;

/** Annotation whose value is the reason: the pod may be deleted whatever it runs. It must be set before the deletion. */
export const breakGlass = 'actions-runner/break-glass';

/** Annotation: who had the pod deleted by break-glass, and this server's signature over it: `<signature> <user>`. */
export const breakGlassBy = 'actions-runner/break-glass-by';

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
	/** Annotation: GitHub's id of the runner. */
	runnerId: 'actions-runner/id',
	/** Annotation: when ARC first asked for the runner's end. */
	requestedAt: 'actions-runner/unregistration-request-timestamp',
	/** Annotation: when GitHub unregistered the runner for ARC. */
	completedAt: 'actions-runner/unregistration-complete-timestamp',
	/** Annotation: when GitHub answered ARC with 422 for an ephemeral runner. */
	completionWait: 'actions-runner/runner-completion-wait-start-timestamp',
	/** Finalizer of a scale set's EphemeralRunner, until GitHub has removed its runner. */
	registrationFinalizer: 'ephemeralrunner.actions.github.com/runner-registration-finalizer',
	/** Annotation: name of the Secret, in the pod's namespace, with this set's GitHub credentials. */
	credentialsSecret: 'actions-runner/github-api-creds-secret',
} as const;

/**
 * The pods in which a runner runs its jobs (containerMode kubernetes), as actions/runner-container-hooks makes them: they
 * are named RUNNER-workflow and RUNNER-step-ID, cut at 63 characters.
 */
export const jobPods = {
	/** Label: name of the runner's pod, in the same namespace. */
	label: 'runner-pod',
	/** Name of the container in which the job's steps run. */
	container: 'job',
	/** Label that the Job controller of Kubernetes puts on the pods of a Job: the Job's name. */
	job: 'batch.kubernetes.io/job-name',
} as const;

/** In a user's `extra`, where its token is bound to a pod: which one. The API server itself writes that. */
export const boundPod = {
	name: 'authentication.kubernetes.io/pod-name',
	uid: 'authentication.kubernetes.io/pod-uid',
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
	/** ConfigMap with the registrations that the leader still has to remove at GitHub; see guard/stale-registrations.ts. */
	owed: 'runners-admission-owed',
	/** PodDisruptionBudgets for the two values of the busy label; one pod must not be under two of them. */
	backstops: { true: 'runners-admission-busy', unknown: 'runners-admission-unknown' },
	/** ValidatingAdmissionPolicy, and its binding, by which nobody else deletes or changes these. */
	budgetPolicy: 'runners-admission-budgets',
	fieldManager: 'runners-admission',
} as const;

/** Annotations on the status ConfigMap by which the server's replicas know of each other; their names follow. */
export const replicaPrefix = 'actions-runner/replica-';

/** Annotations beside them: what each replica has received of GitHub's events; see EventsReport in report.ts. */
export const eventsPrefix = 'actions-runner/events-';

/** The webhook that reviews deletions of runner pods. It must have failurePolicy Fail. */
export const guardWebhook = 'pods.runners-admission.svc';

/** Labels of a WorkflowJob: its repository's owner, and that no set could run it when it was recorded. */
export const jobLabels = {
	owner: 'actions-runner/job-owner',
	noSet: 'actions-runner/job-without-set',
} as const;

/** Label of a namespace that holds runners only: with this value none of its pods is evicted while no replica answers. */
export const evictions = { label: 'actions-runner/evictions', failClosed: 'fail-closed' } as const;

/** Label on every object of an installation, by which an upgrade and an uninstall find the installation's objects. */
export const partOf = { key: 'app.kubernetes.io/part-of', value: 'kubectl-runners' } as const;

/**
 * A dry-run eviction of a pod of this name, which does not exist, is answered with this warning: proof that the API
 * server reaches the guard and trusts its certificate, without any runner.
 */
export const probe = { pod: 'runners-admission-probe', answer: 'runners-admission answers' } as const;

/** Annotations beside them: what a replica that starts needs to know of GitHub's webhooks; the webhook's id follows. */
export const webhookPrefix = 'actions-runner/webhook-';
