#!/usr/bin/env bash
# Runs ansible.yml. $1: the folder to work in; $2: the folder of Ansible's collections.
set -euo pipefail
work=$1 here=$(dirname "$(realpath "$0")")
export HOME=$work ANSIBLE_COLLECTIONS_PATH=$2 ANSIBLE_LOCALHOST_WARNING=false ANSIBLE_INVENTORY_UNPARSED_WARNING=false
export ANSIBLE_PYTHON_INTERPRETER=$(command -v python3) FUNCTION_ZIP=$work/function.zip
printf 'def handler(event, context):\n    return "hello " + event.get("name", "")\n' >"$work/index.py"
python3 -m zipfile -c "$FUNCTION_ZIP" "$work/index.py"
ansible-playbook "$here/ansible.yml"
echo played
