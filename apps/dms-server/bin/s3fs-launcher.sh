#!/bin/sh
# Stands in for s3vaultfuse.py where that is not installed: takes the same environment, no arguments, and becomes s3fs
# in the foreground. The keys stay in the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN), where
# s3fs finds them.
set -u
fail() {
  echo "[CRT] s3fs-launcher: $1"
  exit 64
}

bucket=${vault_s3_bucket:-}
mount_path=${vault_data_directory:-}
case $bucket in '' | -*) fail 'vault_s3_bucket is not the name of a bucket' ;; esac
case $mount_path in /*) ;; *) fail 'vault_data_directory is not an absolute path' ;; esac

# How long an answer may take, and how often it is asked for, is s3fs's own matter: an endpoint may need long for a copy or
# the end of an upload, and who starts this waits for the mount no longer than it wants. Errors are logged: a write that did
# not reach the bucket must be seen.
set -- -f -o fsname=TrilioVault,subtype=s3fs,nosuid,nodev -o connect_timeout=10,dbglevel=err
# The kernel lets in owner and group of the settings. All files have these, whatever their objects say: objects of other
# tools say nothing, and s3fs would show them with no permissions at all.
umask=${dms_mount_umask:-0007}
set -- "$@" -o "allow_other,default_permissions,uid=${dms_mount_owner:-0},gid=${dms_mount_group:-0}" \
  -o "umask=$umask,mp_umask=$umask"
if [ -n "${vault_s3_endpoint_url:-}" ]; then
  set -- "$@" -o "url=$vault_s3_endpoint_url" -o use_path_request_style
else
  scheme=https
  [ "${vault_s3_ssl:-true}" = true ] || scheme=http
  case $bucket in
    *.*)
      # As a part of the host name it would not fit the certificate. In the path it is found only in its own region.
      region=${vault_s3_region_name:+.$vault_s3_region_name}
      set -- "$@" -o "url=$scheme://s3$region.amazonaws.com" -o use_path_request_style
      ;;
    *) [ $scheme = https ] || set -- "$@" -o url=http://s3.amazonaws.com ;;
  esac
fi
[ -z "${AWS_SESSION_TOKEN:-}" ] || set -- "$@" -o use_session_token
[ -z "${dms_multipart_size:-}" ] || set -- "$@" -o "multipart_size=$dms_multipart_size"
[ -z "${vault_s3_region_name:-}" ] || set -- "$@" -o "endpoint=$vault_s3_region_name"
[ "${vault_s3_ssl_verify:-true}" = true ] || set -- "$@" -o no_check_certificate,ssl_verify_hostname=0
[ -z "${vault_s3_ssl_cert:-}" ] || export CURL_CA_BUNDLE="$vault_s3_ssl_cert"
[ "${dms_read_only:-false}" = false ] || set -- "$@" -o ro

command -v s3fs >/dev/null || fail 's3fs is not installed (package s3fs, or s3fs-fuse)'
exec s3fs "$bucket" "$mount_path" "$@"
