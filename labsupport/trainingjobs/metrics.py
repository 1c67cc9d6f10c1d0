"""What project 204 measures: the operator of the TrainingJob resource."""

from __future__ import annotations

from labsupport.receipts.domain import COUNT, NOT_NEGATIVE, SHARE
from labsupport.receipts.metric import Metric

# The resource and its operator
CRD_CASES = Metric("trainingjobs.crd_cases", "cases", COUNT, "objects that were offered to the API server")
FAILED_CRD_CASES = Metric("trainingjobs.failed_crd_cases", "cases", COUNT, "objects that were judged wrongly")
CONCURRENT_JOBS = Metric("trainingjobs.concurrent_jobs", "jobs", COUNT, "TrainingJobs under way at the same time")
LOST_JOBS = Metric("trainingjobs.lost_jobs", "jobs", COUNT, "TrainingJobs that no child Job was made for")
DOUBLED_JOBS = Metric(
    "trainingjobs.doubled_jobs", "jobs", COUNT, "TrainingJobs with more child Jobs than they asked for"
)

# Scheduling
ALLOCATION = Metric(
    "trainingjobs.allocation", "fraction", SHARE, "allocated GPU-seconds / min(capacity, demand) GPU-seconds",
    "allocation",
)  # fmt: skip
NAIVE_ALLOCATION = Metric(
    "trainingjobs.naive_allocation", "fraction", SHARE, "the same for naive placement of the same jobs", "allocation"
)
DECISION_MAX_S = Metric(
    "trainingjobs.decision_max_s", "s", NOT_NEGATIVE, "largest time from the moment a job fits to its placement"
)
RECOVERED_JOBS = Metric("trainingjobs.recovered_jobs", "jobs", COUNT, "jobs that got their lost workers back")
UNRECOVERED_JOBS = Metric("trainingjobs.unrecovered_jobs", "jobs", COUNT, "jobs that did not")

# Tests and deployment
UNIT_TESTS = Metric("trainingjobs.unit_tests", "tests", COUNT, "unit tests that ran")
INTEGRATION_TESTS = Metric("trainingjobs.integration_tests", "tests", COUNT, "integration tests that ran")
E2E_TESTS = Metric("trainingjobs.e2e_tests", "tests", COUNT, "end-to-end tests that ran")
FAILED_TESTS = Metric("trainingjobs.failed_tests", "tests", COUNT, "tests of all suites that failed")
FAULTS_FAILING_SEEDS = Metric(
    "trainingjobs.faults.failing_seeds", "seeds", COUNT, "fault schedules that leave a wrong state", out_of_n=True
)
DEPLOYMENT_STAGES = Metric(
    "trainingjobs.deployment_stages", "stages", COUNT, "stages that ran: install, upgrade, crash, uninstall"
)
FAILED_DEPLOYMENT_STAGES = Metric(
    "trainingjobs.failed_deployment_stages", "stages", COUNT, "stages that left a wrong state"
)
