package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/workqueue"
)

// podReaper does a kubelet's last step: it removes pods that are terminating on nodes with a working (simulated)
// kubelet, as the node's own user, with the pod's UID as precondition, and tries again until that succeeds.
//
// kwok can do this too, but without a UID (it may hit a new pod of the same name) and without another try after a
// webhook's refusal (the pod then stays Terminating for ever). A kubelet does neither.
type podReaper struct {
	config *rest.Config
	pods   cache.Indexer
	nodes  cache.Indexer
	queue  workqueue.TypedRateLimitingInterface[string]

	mutex   sync.Mutex
	clients map[string]kubernetes.Interface // by node name
}

// reapPods is the pod-reaper command. It returns only on a signal or a wrong flag.
func reapPods(args []string) error {
	flags := flag.NewFlagSet("pod-reaper", flag.ContinueOnError)
	kubeconfig := flags.String("kubeconfig", "", "kubeconfig of a user that may impersonate nodes")
	nodeSelector := flags.String("node-selector", "", "label selector of the nodes whose kubelet works")
	if err := flags.Parse(args); err != nil {
		return err
	}

	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		return err
	}
	config.QPS = -1 // no client-side limit: many kubelets are simulated here
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()

	podFactory := informers.NewSharedInformerFactoryWithOptions(client, 0,
		informers.WithTransform(keepMetadata),
		informers.WithTweakListOptions(func(options *metav1.ListOptions) { options.FieldSelector = "spec.nodeName!=" }))
	nodeFactory := informers.NewSharedInformerFactoryWithOptions(client, 0,
		informers.WithTransform(keepMetadata),
		informers.WithTweakListOptions(func(options *metav1.ListOptions) { options.LabelSelector = *nodeSelector }))
	pods := podFactory.Core().V1().Pods().Informer()
	nodes := nodeFactory.Core().V1().Nodes().Informer()

	reaper := &podReaper{
		config: config,
		pods:   pods.GetIndexer(),
		nodes:  nodes.GetIndexer(),
		queue: workqueue.NewTypedRateLimitingQueue(
			workqueue.NewTypedItemExponentialFailureRateLimiter[string](100*time.Millisecond, 5*time.Second)),
		clients: map[string]kubernetes.Interface{},
	}
	if _, err := pods.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    reaper.enqueue,
		UpdateFunc: func(_, pod any) { reaper.enqueue(pod) },
	}); err != nil {
		return err
	}
	// A node whose kubelet comes back finishes what it had to stop.
	if _, err := nodes.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) {
			for _, pod := range reaper.pods.List() {
				reaper.enqueue(pod)
			}
		},
	}); err != nil {
		return err
	}

	podFactory.Start(ctx.Done())
	nodeFactory.Start(ctx.Done())
	podFactory.WaitForCacheSync(ctx.Done())
	nodeFactory.WaitForCacheSync(ctx.Done())

	for range 4 {
		go reaper.work(ctx)
	}
	<-ctx.Done()
	reaper.queue.ShutDown()
	return nil
}

// keepMetadata drops what the reaper does not read, to keep memory small with thousands of pods.
func keepMetadata(object any) (any, error) {
	switch object := object.(type) {
	case *corev1.Pod:
		object.Spec = corev1.PodSpec{NodeName: object.Spec.NodeName}
		object.Status = corev1.PodStatus{}
		object.ManagedFields = nil
	case *corev1.Node:
		object.Spec = corev1.NodeSpec{}
		object.Status = corev1.NodeStatus{}
		object.ManagedFields = nil
	}
	return object, nil
}

func (r *podReaper) enqueue(object any) {
	if pod, ok := object.(*corev1.Pod); ok && pod.DeletionTimestamp != nil {
		r.queue.Add(pod.Namespace + "/" + pod.Name)
	}
}

func (r *podReaper) work(ctx context.Context) {
	for {
		key, shutdown := r.queue.Get()
		if shutdown {
			return
		}
		if err := r.reap(ctx, key); err != nil {
			fmt.Fprintln(os.Stderr, "pod-reaper:", key+":", err)
			r.queue.AddRateLimited(key)
		} else {
			r.queue.Forget(key)
		}
		r.queue.Done(key)
	}
}

func (r *podReaper) reap(ctx context.Context, key string) error {
	object, exists, err := r.pods.GetByKey(key)
	if err != nil || !exists {
		return err
	}
	pod := object.(*corev1.Pod)
	if pod.DeletionTimestamp == nil {
		return nil
	}
	if _, works, err := r.nodes.GetByKey(pod.Spec.NodeName); err != nil || !works {
		return err
	}

	client, err := r.clientOf(pod.Spec.NodeName)
	if err != nil {
		return err
	}
	options := metav1.NewDeleteOptions(0)
	options.Preconditions = metav1.NewUIDPreconditions(string(pod.UID))
	err = client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, *options)
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err // also Conflict: a refusal of a webhook and another UID look alike; the cache will tell them apart
}

// clientOf gives a client that acts as that node, so that admission sees the user that it sees on a real cluster.
func (r *podReaper) clientOf(node string) (kubernetes.Interface, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if client, ok := r.clients[node]; ok {
		return client, nil
	}
	config := rest.CopyConfig(r.config)
	config.Impersonate = rest.ImpersonationConfig{UserName: "system:node:" + node, Groups: []string{"system:nodes"}}
	client, err := kubernetes.NewForConfig(config)
	if err == nil {
		r.clients[node] = client
	}
	return client, err
}
