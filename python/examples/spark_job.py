"""Compares a ledger with exported answers on Spark.

    spark-submit --py-files job.py spark_job.py ledger.parquet lake/ out/

Each worker needs the package `reconcile` and pyarrow.
"""

import job
from pyspark.sql import SparkSession, functions as F
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.storagelevel import StorageLevel


def keyed(rows, side, call_id):
    """Each row in one column, beside its key."""
    key = F.regexp_replace(call_id, job.NO_KEY, "").alias("key")
    return rows.select(key, F.struct("*").alias(side))


def compared(batches):
    for table in job.compare_sorted(batches):
        yield from table.to_batches()


def main():
    paths = job.arguments(__doc__)
    spark = SparkSession.builder.getOrCreate()
    spark.conf.set("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS")
    # As many partitions as the data needs, also for what is persisted.
    spark.conf.set("spark.sql.optimizer.canChangeCachedPlanOutputPartitioning", True)
    ledger = spark.read.parquet(paths.ledger)
    answers = spark.read.option("recursiveFileLookup", True).parquet(paths.answers)
    call_id = F.coalesce(F.nullif(F.trim("call_id"), F.lit("")), F.col("line").cast("string"))
    rows = keyed(ledger, "ledger", call_id).unionByName(
        keyed(answers, "answer", F.col("call_id")), allowMissingColumns=True
    )
    rows = rows.repartition("key").sortWithinPartitions("key")
    schema = job.results(ledger.limit(0).toArrow(), answers.limit(0).toArrow()).schema
    results = rows.mapInArrow(compared, from_arrow_schema(schema)).persist(StorageLevel.DISK_ONLY)
    counts = []
    for name, group in (("details", "status"), ("discrepancies", "kind")):
        file = f"{paths.out}/{name}.parquet"
        results.where(f"{name} IS NOT NULL").select(f"{name}.*").write.parquet(file, "overwrite")
        counts.append(spark.read.parquet(file).groupBy(group).count().collect())
    parts = [part.totals for part in results.select("totals").dropna().collect()]
    ledger_rows = ledger.count()
    spark.stop()
    job.finish(ledger_rows, *counts, job.add_up(parts))


if __name__ == "__main__":
    main()
