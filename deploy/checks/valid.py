"""Validates manifests strictly against the schemas of one version of Kubernetes: `valid.py VERSION FILE…`.

Objects of the Prometheus operator and of the Gateway API are not part of it: crds.mjs has their schemas. Any other kind without
one is an error.
"""

import sys
from pathlib import Path

import kubernetes_validate
import yaml

version, *files = sys.argv[1:]

# This must be refused: a validator that accepts everything must not pass.
wrong = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "wrong"}, "spec": {"port": 1}}
try:
    kubernetes_validate.validate(wrong, version, strict=True)
    sys.exit(f"kubernetes {version}: the schema accepts anything")
except kubernetes_validate.ValidationError:
    pass

count = 0
for file in files:
    for document in filter(None, yaml.safe_load_all(Path(file).read_text())):
        if document["apiVersion"] in ("monitoring.coreos.com/v1", "gateway.networking.k8s.io/v1"):
            continue
        where = f"{file}: {document['kind']} {document['metadata']['name']}"
        try:
            used = kubernetes_validate.validate(document, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            sys.exit(f"{where}: {'/'.join(map(str, error.path))}: {error.message}")
        if used is None or str(used) != version.rpartition(".")[0]:
            sys.exit(f"{where}: no schema of Kubernetes {version}, {used} was taken")
        # The API server takes no larger objects. `kubectl apply` keeps an object in an annotation, which may have a quarter of that.
        if document["kind"] == "ConfigMap" and sum(map(len, document["data"].values())) > 1_000_000:
            sys.exit(f"{where}: larger than a ConfigMap may be")
        count += 1
if count == 0:
    sys.exit(f"no object in {files}")
print(f"  objects that Kubernetes {version} takes: {count}")
