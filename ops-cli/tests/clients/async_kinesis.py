"""async-kinesis: a producer that aggregates and a consumer of two shards, checkpoints included."""
import asyncio
import os

from kinesis import Consumer, MemoryCheckPointer, Producer

STREAM = "async"
WHERE = {"endpoint_url": os.environ["AWS_ENDPOINT_URL"], "region_name": os.environ["AWS_REGION"]}
WANTED = [{"number": number} for number in range(500)]


async def main():
    async with Producer(stream_name=STREAM, create_stream=True, create_stream_shards=2, **WHERE) as producer:
        for record in WANTED:
            await producer.put(record, partition_key=str(record["number"] % 7))
        await producer.flush()
        assert producer.throughput_exceeded_count == 0
    checkpointer, seen = MemoryCheckPointer(name="test"), []
    async with Consumer(stream_name=STREAM, checkpointer=checkpointer, iterator_type="TRIM_HORIZON", **WHERE) as consumer:
        while len(seen) < len(WANTED):
            async for record in consumer:
                seen.append(record["number"])
    assert sorted(seen) == list(range(500)), sorted(seen)
    # Each key keeps its order.
    assert all([n for n in seen if n % 7 == key] == list(range(key, 500, 7)) for key in range(7)), seen
    checkpoints = checkpointer.get_all_checkpoints()
    assert len(checkpoints) == 2, checkpoints


asyncio.run(asyncio.wait_for(main(), 60))
print("consumed")
