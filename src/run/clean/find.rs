//! Finds what earlier runs have not deleted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::join_all;
use futures::stream::{self, StreamExt};
use jiff::Timestamp;

use super::{
    CleanFindings, CleanRequest, Leftover, LeftoverKind, OWN_REGION, RUN_TAG, SearchError,
};
use crate::aws::{Aws, AwsError, Bucket, ErrorKind, Stack};
use crate::plan::INSTALLER_TAG;
use crate::run::journal::{self, JournalRecord};
use crate::run::prepare;

/// Prefix of the names of automatic buckets.
const BUCKET_PREFIX: &str = "tcat-";
/// Number of buckets to examine concurrently.
const BUCKETS_AT_ONCE: usize = 16;

/// Searches journals, stacks and buckets.
///
/// # Errors
/// Of no profile the account's regions or the caller's identity can be determined.
pub(crate) async fn find(request: &CleanRequest, aws: &Aws) -> Result<CleanFindings, SearchError> {
    let (records, errors) = if request.stacks_only {
        (Vec::new(), Vec::new())
    } else {
        journal::read_all(&request.folders)
    };
    let mut finder = LeftoverFinder {
        request,
        aws,
        findings: CleanFindings::default(),
        accounts: BTreeMap::new(),
    };
    finder
        .findings
        .unsearched
        .extend(errors.iter().map(ToString::to_string));
    for record in records {
        if request.means(&record.header.project, &record.header.run_id, None)
            && request.stack_type.includes(false)
        {
            finder.take_journal(record).await;
        }
    }
    let places = finder.places().await?;
    finder.search(places).await?;
    finder.add_journalled();
    finder.findings.leftovers.sort_by(|a, b| {
        let key = |it: &Leftover| {
            (
                it.project.clone(),
                it.run_id.clone(),
                !it.is_stack(),
                it.region.clone(),
                it.name.clone(),
            )
        };
        key(a).cmp(&key(b))
    });
    Ok(finder.findings)
}

struct LeftoverFinder<'f> {
    request: &'f CleanRequest,
    aws: &'f Aws,
    findings: CleanFindings,
    /// Accounts by profile; an error says why the profile can't be identified.
    accounts: BTreeMap<String, Result<String, AwsError>>,
}

impl LeftoverFinder<'_> {
    /// Keeps the journal of a run that has ended and was written for this endpoint and account.
    async fn take_journal(&mut self, record: JournalRecord) {
        let header = &record.header;
        let path = record.path.display();
        if header.endpoint != self.request.endpoint {
            let place =
                |endpoint: &Option<String>| endpoint.clone().unwrap_or_else(|| "AWS".to_owned());
            let written = place(&header.endpoint);
            let now = place(&self.request.endpoint);
            let message =
                format!("ignored {path}: it was written for {written}, and this is {now}");
            return self.findings.unsearched.push(message);
        }
        if record.is_alive() && !self.request.include_running {
            self.findings.running_runs.insert(header.run_id.clone());
            return;
        }
        if self
            .request
            .older_than
            .is_some_and(|limit| age(record.newest) < limit)
        {
            self.findings.running_runs.insert(header.run_id.clone());
            return;
        }
        let stacks = header
            .stacks
            .iter()
            .map(|it| (&it.profile, &*it.cell.region, &it.account_id));
        let buckets = header.buckets.iter().chain(&header.shared_buckets);
        let buckets = buckets.map(|it| (&it.profile, &*it.region, &it.account_id));
        let written: BTreeMap<_, _> = stacks
            .chain(buckets)
            .map(|(profile, region, account)| {
                (profile.clone(), (region.to_owned(), account.clone()))
            })
            .collect();
        for (profile, (region, account_id)) in written {
            match self.account(&profile, &region).await {
                Ok(account) if account == account_id => {}
                Ok(account) => {
                    let message = format!(
                        "ignored {path}: it was written for the account {account_id}, and profile \
                         {profile} is {account}"
                    );
                    return self.findings.unsearched.push(message);
                }
                Err(_) => {
                    return self
                        .findings
                        .unsearched
                        .push(format!("ignored {path}: profile {profile} cannot be used"));
                }
            }
        }
        self.findings.journals.push(record);
    }

    /// Returns the account of a profile.
    async fn account(&mut self, profile: &str, region: &str) -> Result<String, AwsError> {
        if let Some(known) = self.accounts.get(profile) {
            return known.clone();
        }
        let identity = prepare::identity(profile, region, self.aws).await;
        let account = identity.map(|identity| identity.account_id);
        self.accounts.insert(profile.to_owned(), account.clone());
        account
    }

    fn known_account(&self, profile: &str) -> String {
        self.accounts
            .get(profile)
            .and_then(|known| known.as_ref().ok())
            .cloned()
            .unwrap_or_default()
    }

    /// Returns the profiles and regions to search. The journal of a requested run lists them all.
    async fn places(&mut self) -> Result<BTreeSet<(String, String)>, SearchError> {
        let mut places = BTreeSet::new();
        for record in &self.findings.journals {
            let header = &record.header;
            places.extend(
                header
                    .stacks
                    .iter()
                    .map(|it| (it.profile.clone(), it.cell.region.to_string())),
            );
            places.extend(
                record
                    .buckets()
                    .map(|(it, creation)| (it.profile.clone(), creation.region.clone())),
            );
        }
        let search = &self.request.search;
        if search.regions.is_none() && self.request.run_id().is_some() && !places.is_empty() {
            return Ok(places);
        }
        let mut failed = Vec::new();
        for profile in &search.profiles {
            match self.regions(profile).await {
                Ok(regions) => places.extend(regions.into_iter().map(|it| (profile.clone(), it))),
                Err(error) => failed.push(SearchError {
                    profile: profile.clone(),
                    error: Box::new(error),
                }),
            }
        }
        self.skip_failed(failed, search.profiles.len())?;
        Ok(places)
    }

    /// Returns the regions to search with a profile.
    async fn regions(&mut self, profile: &str) -> Result<Vec<String>, AwsError> {
        if let Some(regions) = &self.request.search.regions {
            let mut named = regions.clone();
            if let Some(own) = named.iter_mut().find(|it| *it == OWN_REGION) {
                *own = self.aws.home_region(profile).await;
            }
            return Ok(named);
        }
        match self.aws.regions(profile).await {
            Err(error) if error.is(ErrorKind::Denied) => {
                let home = self.aws.home_region(profile).await;
                let message = format!("only {home} was searched (-r names more regions): {error}");
                self.findings.unsearched.push(message);
                Ok(vec![home])
            }
            other => other,
        }
    }

    /// Notes the profiles that can't be used.
    ///
    /// # Errors
    /// None of `total` profiles can be used.
    fn skip_failed(&mut self, failed: Vec<SearchError>, total: usize) -> Result<(), SearchError> {
        if failed.len() == total
            && let Some(first) = failed.first()
        {
            return Err(first.clone());
        }
        let notes = failed
            .iter()
            .map(|it| format!("profile {} was not searched: {}", it.profile, it.error));
        self.findings.unsearched.extend(notes);
        Ok(())
    }

    /// Finds stacks and buckets by their tags.
    async fn search(&mut self, mut places: BTreeSet<(String, String)>) -> Result<(), SearchError> {
        let mut profiles: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (profile, region) in &places {
            let regions = profiles.entry(profile.clone()).or_default();
            regions.push(region.clone());
        }
        let mut failed = Vec::new();
        for (profile, regions) in &profiles {
            let home = regions.first().map(String::as_str).unwrap_or_default();
            if let Err(error) = self.account(profile, home).await {
                failed.push(SearchError {
                    profile: profile.clone(),
                    error: Box::new(error),
                });
            }
        }
        for it in &failed {
            places.retain(|(profile, _)| *profile != it.profile);
        }
        let total = profiles.len();
        profiles.retain(|profile, _| failed.iter().all(|it| it.profile != *profile));
        self.skip_failed(failed, total)?;
        self.search_stacks(&places).await?;
        if !self.request.stacks_only && self.request.stack_type.includes(false) {
            for (profile, regions) in &profiles {
                let regions: Vec<&str> = regions.iter().map(String::as_str).collect();
                self.search_buckets(profile, &regions).await;
            }
        }
        Ok(())
    }

    async fn search_stacks(
        &mut self,
        places: &BTreeSet<(String, String)>,
    ) -> Result<(), SearchError> {
        let stacks = join_all(places.iter().map(async |(profile, region)| {
            let stacks = self.aws.clients(profile, region).await.all_stacks().await;
            (profile, region, stacks)
        }))
        .await;
        let failed: Vec<_> = stacks
            .iter()
            .filter_map(|(profile, _, stacks)| Some((*profile, stacks.as_ref().err()?)))
            .collect();
        if failed.len() == stacks.len()
            && let Some((profile, error)) = failed.first()
        {
            return Err(SearchError {
                profile: (*profile).clone(),
                error: Box::new((*error).clone()),
            });
        }
        for (profile, region, stacks) in stacks {
            match stacks {
                Err(error) => self
                    .findings
                    .unsearched
                    .push(format!("{region} was not searched: {error}")),
                Ok(stacks) => {
                    for stack in stacks {
                        self.take_stack(profile, region, stack).await;
                    }
                }
            }
        }
        Ok(())
    }

    async fn take_stack(&mut self, profile: &str, region: &str, stack: Stack) {
        let Some(leftover) = self.of_taskcat(profile, region, &stack) else {
            return;
        };
        let is_permanent = leftover.installer.is_some();
        if !self.request.stack_type.includes(is_permanent) {
            return;
        }
        let installer = leftover.installer.as_deref();
        if !self
            .request
            .means(&leftover.project, &leftover.run_id, installer)
        {
            let name = leftover.installer.unwrap_or(leftover.project);
            self.findings.others.insert((name, leftover.run_id));
            return;
        }
        let quiet = self.request.quiet(is_permanent);
        let needs_event = !self.has_journal(&leftover.run_id) && !quiet.is_zero();
        let newest = if needs_event {
            self.aws
                .clients(profile, region)
                .await
                .newest_event_time(&stack.stack_id)
                .await
                .ok()
                .flatten()
        } else {
            None
        };
        self.take(leftover, newest.or(stack.updated).or(stack.created));
    }

    /// Returns a stack that has the tags of a test run, of our `deploy run` or of TaskCat's; `None`
    /// for others. Nested stacks are deleted with their parents.
    fn of_taskcat(&self, profile: &str, region: &str, stack: &Stack) -> Option<Leftover> {
        let run_id = stack.tag(RUN_TAG).unwrap_or_default();
        let installer = stack.tag(INSTALLER_TAG);
        // Our `deploy run` marks a stack by its name. TaskCat's stacks have the tags of a run, too.
        let is_ours = !run_id.is_empty() || installer == Some(&stack.stack_name);
        (is_ours && !stack.is_nested()).then(|| Leftover {
            kind: LeftoverKind::Stack {
                stack_id: Some(stack.stack_id.clone()),
                unconfirmed_since: None,
            },
            name: stack.stack_name.clone(),
            run_id: run_id.to_owned(),
            project: stack
                .tag("taskcat-project-name")
                .unwrap_or_default()
                .to_owned(),
            installer: installer.map(str::to_owned),
            test: stack.tag("taskcat-test-name").map(str::to_owned),
            profile: profile.to_owned(),
            account_id: self.known_account(profile),
            region: region.to_owned(),
            created: stack.created,
        })
    }

    /// Finds automatic buckets by the run's tag. A bucket that was never tagged can only be found
    /// in the journal.
    async fn search_buckets(&mut self, profile: &str, regions: &[&str]) {
        let home = regions.first().copied().unwrap_or_default();
        let clients = self.aws.clients(profile, home).await;
        let buckets = match clients.list_buckets(BUCKET_PREFIX).await {
            Ok(buckets) => buckets,
            Err(error) => {
                let message =
                    format!("the buckets of profile {profile} were not searched: {error}");
                return self.findings.unsearched.push(message);
            }
        };
        let looking = buckets.into_iter().map(async |bucket| {
            let looked = self.look_at(profile, home, &bucket).await;
            (bucket, looked)
        });
        let looked: Vec<_> = stream::iter(looking)
            .buffer_unordered(BUCKETS_AT_ONCE)
            .collect()
            .await;
        for (bucket, looked) in looked {
            let (region, tags) = match looked {
                Ok(Some(looked)) => looked,
                Ok(None) => continue,
                Err(error) => {
                    let message = format!("the bucket {} was not examined: {error}", bucket.name);
                    self.findings.unsearched.push(message);
                    continue;
                }
            };
            let tag = |name: &str| {
                tags.iter()
                    .find(|(key, _)| key == name)
                    .map(|(_, value)| value.clone())
            };
            let Some(run_id) = tag(RUN_TAG).filter(|_| regions.contains(&region.as_str())) else {
                continue;
            };
            let leftover = Leftover {
                kind: LeftoverKind::Bucket {
                    unconfirmed_since: None,
                },
                name: bucket.name,
                run_id,
                project: tag("taskcat-project-name").unwrap_or_default(),
                installer: None,
                test: None,
                profile: profile.to_owned(),
                account_id: self.known_account(profile),
                region,
                created: bucket.created,
            };
            if self
                .request
                .means(&leftover.project, &leftover.run_id, None)
            {
                self.take(leftover, bucket.created)
            } else {
                _ = self
                    .findings
                    .others
                    .insert((leftover.project, leftover.run_id))
            }
        }
    }

    /// Returns region and tags; `None` if the bucket was deleted meanwhile or can't be ours.
    async fn look_at(
        &self,
        profile: &str,
        home: &str,
        bucket: &Bucket,
    ) -> Result<Option<(String, Vec<(String, String)>)>, AwsError> {
        let region: Option<String> = match &bucket.region {
            Some(region) => Some(region.clone()),
            None => {
                self.aws
                    .clients(profile, home)
                    .await
                    .bucket_region(&bucket.name)
                    .await?
            }
        };
        let Some(region) = region else {
            return Ok(None);
        };
        let tags = self
            .aws
            .clients(profile, &region)
            .await
            .bucket_tags(&bucket.name)
            .await?;
        Ok(tags.map(|tags| (region, tags)))
    }

    fn has_journal(&self, run_id: &str) -> bool {
        self.findings
            .journals
            .iter()
            .any(|record| record.header.run_id == run_id)
    }

    /// Adds a leftover of a run that has ended or is in progress.
    fn take(&mut self, leftover: Leftover, newest: Option<Timestamp>) {
        let is_same = |it: &Leftover| {
            it.name == leftover.name
                && it.region == leftover.region
                && it.account_id == leftover.account_id
        };
        if self.findings.leftovers.iter().any(is_same) {
            return;
        }
        let quiet = self.request.quiet(leftover.installer.is_some());
        let seems_alive = !self.has_journal(&leftover.run_id) && age(newest) < quiet;
        if self.findings.running_runs.contains(&leftover.run_id) || seems_alive {
            self.findings.running.push(leftover);
        } else {
            self.findings.leftovers.push(leftover);
        }
    }

    /// Adds what journals name and no search has found, since it may not be visible yet.
    fn add_journalled(&mut self) {
        let mut missing = Vec::new();
        for record in &self.findings.journals {
            let header = &record.header;
            let leftover =
                |kind, name: &str, profile: &str, account_id: &str, region: &str| Leftover {
                    kind,
                    name: name.to_owned(),
                    run_id: header.run_id.clone(),
                    project: header.project.clone(),
                    installer: None,
                    test: None,
                    profile: profile.to_owned(),
                    account_id: account_id.to_owned(),
                    region: region.to_owned(),
                    created: None,
                };
            for (stack, creation) in record.stacks() {
                let unconfirmed_since = creation.confirmed.is_none().then_some(creation.at);
                let kind = LeftoverKind::Stack {
                    stack_id: creation.confirmed.clone(),
                    unconfirmed_since,
                };
                missing.push(leftover(
                    kind,
                    &stack.stack_name,
                    &stack.profile,
                    &stack.account_id,
                    &stack.cell.region,
                ));
            }
            for (bucket, creation) in record.buckets() {
                let unconfirmed_since = creation.confirmed.is_none().then_some(creation.at);
                let kind = LeftoverKind::Bucket { unconfirmed_since };
                missing.push(leftover(
                    kind,
                    &bucket.name,
                    &bucket.profile,
                    &bucket.account_id,
                    &creation.region,
                ));
            }
        }
        missing.into_iter().for_each(|it| self.take(it, None));
    }
}

/// Returns how long ago something happened; the maximum if unknown.
pub(in crate::run) fn age(at: Option<Timestamp>) -> Duration {
    let Some(at) = at else { return Duration::MAX };
    Duration::try_from(Timestamp::now().duration_since(at)).unwrap_or_default()
}
