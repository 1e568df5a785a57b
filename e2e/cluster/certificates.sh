# shellcheck shell=bash
# One certificate authority for a cluster, its certificates and kubeconfigs. Keys are P-256: made in milliseconds.

# make_authority DIR: DIR/ca.crt, DIR/ca.key and the key that signs service account tokens.
make_authority() {
  local dir=$1
  mkdir -p "$dir"
  new_key "$dir/ca.key"
  openssl req -x509 -new -key "$dir/ca.key" -days 3650 -subj "/CN=sluice-test-ca" -out "$dir/ca.crt" 2>/dev/null
  new_key "$dir/service-account.key"
  openssl pkey -in "$dir/service-account.key" -pubout -out "$dir/service-account.pub"
}

new_key() { (umask 077 && openssl ecparam -name prime256v1 -genkey -noout -out "$1"); }

# issue_certificate DIR NAME SUBJECT [SUBJECT-ALT-NAMES]: DIR/NAME.key and DIR/NAME.crt, for clients and servers alike.
issue_certificate() {
  local dir=$1 name=$2 subject=$3 names=${4:-}
  new_key "$dir/$name.key"
  openssl req -new -key "$dir/$name.key" -subj "$subject" 2>/dev/null |
    openssl x509 -req -CA "$dir/ca.crt" -CAkey "$dir/ca.key" -set_serial "0x$(openssl rand -hex 16)" -days 3650 \
      -extfile <(
        echo "extendedKeyUsage=serverAuth,clientAuth"
        [[ -z $names ]] || echo "subjectAltName=$names"
      ) -out "$dir/$name.crt" 2>/dev/null
}

# write_kubeconfig PKI NAME SERVER FILE: everything inline, so the file works from any folder.
write_kubeconfig() {
  local pki=$1 name=$2 server=$3 file=$4
  (umask 077 && cat >"$file") <<YAML
apiVersion: v1
kind: Config
clusters:
- name: sluice
  cluster:
    server: $server
    certificate-authority-data: $(base64 -w0 "$pki/ca.crt")
users:
- name: $name
  user:
    client-certificate-data: $(base64 -w0 "$pki/$name.crt")
    client-key-data: $(base64 -w0 "$pki/$name.key")
contexts:
- name: sluice
  context: {cluster: sluice, user: $name}
current-context: sluice
YAML
}
