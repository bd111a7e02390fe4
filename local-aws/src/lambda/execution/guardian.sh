# Ends the processes that a function left behind. $1 is the endpoint's folder for functions. Each line on stdin is the log
# stream of a function process that has ended, or "end". If stdin ends without "end", the endpoint has ended for any reason.
# In both cases the folder is removed last. The endpoint does not wait for that, because there may be tens of thousands of
# files.
trap '' HUP INT TERM

# Kills every process that has this text in its environment, and the group that it leads. A child inherits the environment
# in any group or session.
sweep() {
    tries=0
    while [ $tries -lt 100 ]; do
        found=$(grep -lsF -- "$1" /proc/[0-9]*/environ)
        [ -n "$found" ] || return 0
        for file in $found; do
            pid=${file#/proc/}
            pid=${pid%/environ}
            kill -9 "-$pid" 2>/dev/null
            kill -9 "$pid" 2>/dev/null
        done
        tries=$((tries + 1))
        sleep 0.02
    done
}

while read -r line; do
    if [ "$line" = end ]; then
        sweep "LAMBDA_RUNTIME_DIR=$1/"
        rm -rf -- "${1:?}" &
        exit
    fi
    sweep "AWS_LAMBDA_LOG_STREAM_NAME=$line"
done
sweep "LAMBDA_RUNTIME_DIR=$1/"
# A process between fork and exec did not have its own environment yet.
sleep 0.2
sweep "LAMBDA_RUNTIME_DIR=$1/"
rm -rf -- "${1:?}"
