//! Messages of Kubernetes, runtimes, registries, drivers and webhooks.

use super::{Origin, hold, quoted};

#[test]
fn wrappers_of_runtimes_are_dropped() {
    let hook = "error running hook #0: exit status 1, stdout: , stderr: Auto-detected mode as 'legacy' nvidia-container-cli: \
                initialization error: nvml error: driver/library version mismatch";
    hold(
        Origin::Cluster,
        "container main could not be started",
        &[
            (
                "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable \
                 to start container process: error during container init: error running hook #0: error running hook: exit status 1, \
                 stdout: , stderr: Auto-detected mode as 'legacy'\nnvidia-container-cli: initialization error: nvml error: \
                 driver/library version mismatch: unknown",
                hook,
            ),
            (
                "Error: failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: \
                 unable to start container process: container init was OOM-killed (memory limit too low?)",
                "container init was OOM-killed (memory limit too low?)",
            ),
            (
                "OCI runtime create failed: container_linux.go:380: starting container process caused: exec: \"migrate\": executable \
                 file not found in $PATH: unknown",
                "exec: \"migrate\": executable file not found in $PATH",
            ),
            (
                "Error: failed to start container \"main\": Error response from daemon: OCI runtime create failed: \
                 container_linux.go:349: starting container process caused \"exec: permission denied\": unknown",
                "\"exec: permission denied\"",
            ),
            (
                "Error: container create failed: time=\"2026-03-10T02:00:03Z\" level=error msg=\"runc create failed: unable to start \
                 container process: exec: \\\"/run.sh\\\": permission denied\"\n",
                "exec: \"/run.sh\": permission denied",
            ),
            (
                "failed to create containerd container: error unpacking image: failed to extract layer sha256:1ebff0f9: write \
                 /var/lib/containerd/x: no space left on device: unknown",
                "error unpacking image: failed to extract layer sha256:1ebff0f9: write /var/lib/containerd/x: no space left on device",
            ),
            (
                "Error: failed to get image from containerd \"sha256:1ebf\": image \"docker.io/library/import@sha256:3c87\": not found",
                "failed to get image from containerd \"sha256:1ebf\": image \"docker.io/library/import@sha256:3c87\": not found",
            ),
            (
                "container create failed: time=\"2026-03-10T02:00:00Z\" level=warning msg=\"unable to get oom kill count\" \
                 error=\"openat2: no such file\"\ntime=\"2026-03-10T02:00:00Z\" level=error msg=\"runc create failed: unable to start \
                 container process: exec: \\\"/bin/foo\\\": stat /bin/foo: no such file or directory\"\n",
                "exec: \"/bin/foo\": stat /bin/foo: no such file or directory",
            ),
            ("Error: ", "Error"),
        ],
    );
}

#[test]
fn errors_of_registries_name_the_image_once() {
    let pull = "Failed to pull image \"reg.example/app:9\": rpc error: code = NotFound desc = failed to pull and unpack image \
                \"reg.example/app:9\": failed to resolve reference \"reg.example/app:9\": reg.example/app:9: not found";
    hold(
        Origin::Cluster,
        "image reg.example/app:9 could not be pulled",
        &[
            (pull, "reg.example/app:9: not found"),
            (
                "Back-off pulling image \"reg.example/app:9\": ErrImagePull: failed to pull and unpack image \"reg.example/app:9\": \
                 failed to resolve image: failed to do request: Head \"https://reg.example/v2/app/manifests/9\": dial tcp: lookup \
                 reg.example: no such host",
                "Head \"https://reg.example/v2/app/manifests/9\": dial tcp: lookup reg.example: no such host",
            ),
            (
                "Back-off pulling image \"reg.example/app:9\"",
                "Back-off pulling image \"reg.example/app:9\"",
            ),
            (
                "Failed to pull image \"reg.example/app:9\": rpc error: code = Unknown desc = no matching manifest for linux/arm64/v8 \
                 in the manifest list entries",
                "no matching manifest for linux/arm64/v8 in the manifest list entries",
            ),
            (
                "initializing source docker://quay.io/x/app:9: reading manifest 9 in quay.io/x/app: manifest unknown",
                "initializing source docker://quay.io/x/app:9: reading manifest 9 in quay.io/x/app: manifest unknown",
            ),
        ],
    );
    hold(
        Origin::Cluster,
        "image busybox:1 could not be pulled",
        &[(
            "failed to pull and unpack image \"docker.io/library/busybox:1\": 429 Too Many Requests",
            "429 Too Many Requests",
        )],
    );
    hold(
        Origin::Cluster,
        "the sandbox or network of Pod a could not be set up",
        &[
            (
                "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to get sandbox image \
                 \"registry.k8s.io/pause:3.9\": failed to pull image \"registry.k8s.io/pause:3.9\": failed to pull and unpack image \
                 \"registry.k8s.io/pause:3.9\": failed to resolve reference \"registry.k8s.io/pause:3.9\": failed to do request: Head \
                 \"https://registry.k8s.io/v2/pause/manifests/3.9\": dial tcp 203.0.113.10:443: i/o timeout",
                "failed to get sandbox image \"registry.k8s.io/pause:3.9\": Head \"https://registry.k8s.io/v2/pause/manifests/3.9\": \
                 dial tcp 203.0.113.10:443: i/o timeout",
            ),
            (
                "failed to pull image \"registry.k8s.io/pause:3.9\": i/o timeout",
                "failed to pull image \"registry.k8s.io/pause:3.9\": i/o timeout",
            ),
        ],
    );
}

#[test]
fn a_failed_cleanup_does_not_hide_the_error_of_the_network() {
    let id = "62d706b05a7321e9067f83cf5db9b8ec1714a38668a01eb357a47895bc3e7980";
    let message = format!(
        "Failed to create pod sandbox: rpc error: code = Unknown desc = [failed to set up sandbox container \"{id}\" network for pod \
         \"x\": networkPlugin cni failed to set up pod \"x_default\" network: add cmd: failed to assign an IP address to container, \
         failed to clean up sandbox container \"{id}\" network for pod \"x\": networkPlugin cni failed to teardown pod \"x_default\" \
         network: del cmd: error received from DelNetwork gRPC call]"
    );
    let quote = format!(
        "failed to set up sandbox container \"{id}\" network for pod \"x\": networkPlugin cni failed to set up pod \"x_default\" \
         network: add cmd: failed to assign an IP address to container"
    );
    hold(Origin::Cluster, "", &[(&message, &quote)]);
}

#[test]
fn errors_of_volumes_name_the_volume() {
    hold(
        Origin::Cluster,
        "a volume of Pod a was not available",
        &[
            (
                "(combined from similar events): MountVolume.SetUp failed for volume \"vault-case\" : rpc error: code = Unknown desc = \
                 error mounting secret time=\"2026-03-10T02:02:10Z\" level=fatal msg=\"[error] : failed to get objectType:secret, \
                 objectName:AppInsightsInstrumentationKey, objectVersion:: keyvault.BaseClient#GetSecret: Failure sending request: \
                 StatusCode=0 -- Original Error: Get \\\"https://case-.vault.example.net/secrets/AppInsightsInstrumentationKey/\
                 ?api-version=2016-10-01\\\": dial tcp: lookup case-.vault.example.net: no such host\"\n for pod: cases/x-nbdlp",
                "volume \"vault-case\" : error mounting secret [error] : failed to get objectType:secret, … StatusCode=0 -- Original Error: Get \
                 \"https://case-.vault.example.net/secrets/AppInsightsInstrumentationKey/?api-version=2016-10-01\": dial tcp: lookup \
                 case-.vault.example.net: no such host for pod: cases/x-nbdlp",
            ),
            (
                "MountVolume.SetUp failed for volume \"db-secret\" : secret \"db-secret\" not found",
                "volume \"db-secret\" : secret \"db-secret\" not found",
            ),
            (
                "MountVolume.SetUp failed for volume \"nfs\" : mount failed: exit status 32\nMounting command: systemd-run\nMounting \
                 arguments: --description=Kubernetes transient mount for /var/lib/kubelet/pods/46f063f3-e6ef-4160-a0c2-c4c9458ae967/\
                 volumes/kubernetes.io~nfs/nfs --scope -- mount -t nfs nfs.example.com:/export /var/lib/kubelet/pods/x\nOutput: Running \
                 scope as unit: run-r1.scope\nmount.nfs: access denied by server while mounting nfs.example.com:/export\n",
                "volume \"nfs\" : mount failed: exit status 32 mount.nfs: access denied by server while mounting \
                 nfs.example.com:/export",
            ),
            (
                "MountVolume.MountDevice failed for volume \"pvc-1\" : rpc error: code = Internal desc = volume(rg#account#share#) mount \
                 //account.file.core.windows.net/share on /var/lib/kubelet/plugins/kubernetes.io/csi/file.csi.azure.com/5b7a/globalmount \
                 failed with mount failed: exit status 32\nMounting command: mount\nMounting arguments: -t cifs -o \
                 dir_mode=0777,<masked> //account.file.core.windows.net/share /var/lib/kubelet/x\nOutput: mount error(13): Permission \
                 denied\nRefer to the mount.cifs(8) manual page (e.g. man mount.cifs) and kernel log messages (dmesg)\n\nPlease refer to \
                 http://aka.ms/filemounterror for possible causes and solutions for mount errors.",
                "MountVolume.MountDevice failed for volume \"pvc-1\" : volume(rg#account#share#) mount \
                 //account.file.core.windows.net/share on /var/lib/kubelet/plugins/kubernetes.io/csi/file.csi.azure.com/5b7a/globalmount \
                 failed with mount failed: exit status 32 Output: mount error(13): Permission denied",
            ),
            (
                "AttachVolume.Attach failed for volume \"pvc-1\" : rpc error: code = Internal desc = Could not attach volume \
                 \"vol-0a\" to node \"i-0b\": timeout",
                "AttachVolume.Attach failed for volume \"pvc-1\" : Could not attach volume \"vol-0a\" to node \"i-0b\": timeout",
            ),
        ],
    );
}

#[test]
fn admission_errors_show_the_constraints_that_applied() {
    let ranges = "spec.initContainers[0].securityContext.runAsUser: Invalid value: 1000: must be in the ranges: [1001120000, \
                  1001129999], spec.containers[0].securityContext.runAsUser: Invalid value: 1000: must be in the ranges: [1001120000, \
                  1001129999]]";
    let short = format!(
        "Error creating: pods \"gatekeeper-\" is forbidden: unable to validate against any security context constraint: [provider \
         \"anyuid\": Forbidden: not usable by user or serviceaccount, {ranges}"
    );
    let long = "Error creating: pods \"j-\" is forbidden: unable to validate against any security context constraint: [provider \
                \"anyuid\": Forbidden: not usable by user or serviceaccount, provider restricted-v2: .spec.securityContext.fsGroup: \
                Invalid value: []int64{1000, 2000}: 1000 is not an allowed group, provider restricted-v2: .containers[0].capabilities.add: \
                Invalid value: \"NET_ADMIN\": capability may not be added, provider \"restricted\": .spec.securityContext.fsGroup: \
                Invalid value: []int64{1000, 2000}: 1000 is not an allowed group, provider \"hostaccess\": Forbidden: not usable by user \
                or serviceaccount, provider \"privileged\": Forbidden: not usable by user or serviceaccount]";
    let restricted = "Error creating: pods \"j-7xk2p\" is forbidden: violates PodSecurity \"restricted:latest\": \
                      allowPrivilegeEscalation != false (container \"main\" must set \
                      securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container \"main\" must set \
                      securityContext.capabilities.drop=[\"ALL\"]), runAsNonRoot != true (pod or container \"main\" must set \
                      securityContext.runAsNonRoot=true), seccompProfile (pod or container \"main\" must set \
                      securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")";
    let kyverno = "Error creating: admission webhook \"validate.kyverno.svc-fail\" denied the request: \n\nresource Pod/default/j-x was \
                   blocked due to the following policies \n\ndisallow-latest-tag:\n  require-image-tag: 'validation error: An image tag \
                   is required. rule require-image-tag\n    failed at path /spec/containers/0/image/'";
    hold(
        Origin::Cluster,
        "no Pod could be created",
        &[
            (
                &short,
                "unable to validate against any security context constraint: [spec.initContainers[0].securityContext.runAsUser: \
                 Invalid value: 1000: must be in the ranges: [1001120000, 1001129999], spec.containers[0].securityContext.runAsUser: \
                 Invalid value: 1000: must be in the ranges: [1001120000, 1001129999]]",
            ),
            (
                long,
                "unable to validate against any security context constraint: [provider restricted-v2: .spec.securityContext.fsGroup: \
                 Invalid value: []int64{1000, 2000}: 1000 is not an allowed group, provider restricted-v2: .containers[0].capabilities.add: \
                 Invalid value: \"NET_ADMIN\": capability may not be added]",
            ),
            (
                restricted,
                "violates PodSecurity \"restricted:latest\": allowPrivilegeEscalation != false, unrestricted capabilities, \
                 runAsNonRoot != true, seccompProfile (pod or container \"main\" must set securityContext.seccompProfile.type to \
                 \"RuntimeDefault\" or \"Localhost\")",
            ),
            (
                kyverno,
                "admission webhook \"validate.kyverno.svc-fail\" denied the request: resource Pod/default/j-x was blocked due to the \
                 following policies disallow-latest-tag: require-image-tag: 'validation error: An image tag is required. rule \
                 require-image-tag failed at path /spec/containers/0/image/'",
            ),
            (
                "Error creating: admission webhook \"validation.gatekeeper.sh\" denied the request: [must-have-limits] container \
                 <main> has no resource limits\n[repos] image <x> is not allowed",
                "admission webhook \"validation.gatekeeper.sh\" denied the request: [must-have-limits] container <main> has no \
                 resource limits [repos] image <x> is not allowed",
            ),
            (
                "Error creating: Internal error occurred: failed calling webhook \"pod.example.io\": failed to call webhook: Post \
                 \"https://hook.a.svc:443/pod?timeout=10s\": no endpoints available for service \"hook\"",
                "failed calling webhook \"pod.example.io\": Post \"https://hook.a.svc:443/pod?timeout=10s\": no endpoints available \
                 for service \"hook\"",
            ),
            (
                "Error creating: pods \"j-w4vgl\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0",
                "pods \"j-w4vgl\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0",
            ),
        ],
    );
}

#[test]
fn a_long_list_of_constraints_shows_each_reason_once() {
    let volume = "Invalid value: \"hostPath\": hostPath volumes are not allowed to be used";
    let message = format!(
        "Error creating: pods \"scan-6bcf4\" is forbidden: unable to validate against any security context constraint: [provider \
         \"anyuid\": Forbidden: not usable by user or serviceaccount, provider restricted: .spec.securityContext.hostPID: Invalid \
         value: true: Host PID is not allowed to be used, spec.volumes[0]: {volume}, spec.volumes[1]: {volume}, spec.volumes[2]: \
         {volume}, spec.containers[0].securityContext.runAsUser: Invalid value: 0: must be in the ranges: [1000630000, 1000639999], \
         spec.containers[0].securityContext.hostPID: Invalid value: true: Host PID is not allowed to be used, provider \"hostacc"
    );
    let quote = "unable to validate against any security context constraint: [provider restricted: … to be used, \
                 spec.volumes[0]: Invalid value: \"hostPath\": hostPath volumes are not allowed to be used, \
                 spec.containers[0].securityContext.runAsUser: Invalid value: 0: must be in the ranges: [1000630000, 1000639999]";
    hold(Origin::Cluster, "no Pod could be created", &[(&message, quote)]);
}

#[test]
fn nodes_are_quoted_without_preemption() {
    hold(
        Origin::Cluster,
        "Pod a could not be scheduled",
        &[(
            "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are available: 1 \
             Preemption is not helpful for scheduling.",
            "0/1 nodes are available: 1 Insufficient cpu",
        )],
    );
}

#[test]
fn a_long_message_keeps_both_ends() {
    let middle = "step ".repeat(200);
    let quote = quoted(
        &format!("disk.csi: {middle}no space left on device"),
        Origin::Cluster,
        "",
    );
    assert!(quote.starts_with("“disk.csi: step step "), "{quote}");
    assert!(
        quote.contains(" step … step ") && quote.ends_with(" step no space left on device”"),
        "{quote}"
    );
    let (head, tail) = quote.split_once('…').unwrap();
    assert!(tail.chars().count() > head.chars().count(), "{quote}");
    // A word without an end is cut inside.
    assert_eq!(quoted(&"z".repeat(5000), Origin::Cluster, "").chars().count(), 300 + 2);
}
